"""Backbones at the places that a model's settings can name."""

from __future__ import annotations

from pathlib import Path

from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri

# Files of the right names are a backbone as far as fetching goes; what is in them is up to transformers.
FILES = {"config.json": b'{"a": 1}', "preprocessor_config.json": b"{}", "model.safetensors": b"weights" * 1000}


def write_backbone(folder: Path, **changed: bytes) -> Path:
    """A folder with `FILES`; `model=b"…"` changes the bytes of the file whose stem is given."""
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(changed.get(name.split(".")[0], data))
    return folder


def upload(folder: Path, uri: str) -> str:
    """Every file of `folder` to below `uri`, and objects beside them that are not the backbone's."""
    store = open_store(uri)
    for path in folder.iterdir():
        store.write(join_uri(uri, path.name), path.read_bytes())
    store.write(join_uri(uri, "README.md"), b"notes")
    store.write(join_uri(uri, "older/model.safetensors"), b"other")
    return uri
