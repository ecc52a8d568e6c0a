"""The folder of a `transformers` model: which files count, and the digest that names their content."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from operators.errors import InvalidSetting

_REQUIRED = ("config.json", "preprocessor_config.json")
# transformers prefers processor_config.json where there is one, and finds weights of several files by their index.
_OPTIONAL = ("processor_config.json", "model.safetensors.index.json")
_WEIGHTS = ".safetensors"


def is_backbone_file(name: str) -> bool:
    """Whether a file of this name is part of a backbone; weights in other formats (pickle) are never read."""
    return name in _REQUIRED or name in _OPTIONAL or name.endswith(_WEIGHTS)


def missing_backbone_files(names: Collection[str]) -> tuple[str, ...]:
    """What a folder with files of these names lacks to be a backbone."""
    missing = tuple(name for name in _REQUIRED if name not in names)
    has_weights = any(name.endswith(_WEIGHTS) for name in names)
    return missing if has_weights else (*missing, f"*{_WEIGHTS}")


def backbone_files(folder: str) -> list[Path]:
    """`config.json`, `preprocessor_config.json`, every `*.safetensors` and what goes with them, by name.

    Raises `InvalidSetting` when one of the three is missing.
    """
    files = sorted(path for path in Path(folder).glob("*") if is_backbone_file(path.name) and path.is_file())
    missing = missing_backbone_files([path.name for path in files])
    if missing:
        raise InvalidSetting("backbone.folder", folder, f"a local transformers folder; it has no {', '.join(missing)}")
    return files


def backbone_sha256(folder: str) -> str:
    """64 hex digits over the names and bytes of `backbone_files`."""
    digest = hashlib.sha256()
    for path in backbone_files(folder):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
