"""The folder of a `transformers` model: which files count, and the digest that names their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from operators.errors import InvalidSetting

_CHUNK_BYTES = 2**20


def backbone_files(folder: str) -> list[Path]:
    """`config.json`, `preprocessor_config.json` and every `*.safetensors`, by name.

    Raises `InvalidSetting` when one of them is missing: weights in other formats (pickle) are never read.
    """
    root = Path(folder)
    required = [root / "config.json", root / "preprocessor_config.json"]
    weights = sorted(root.glob("*.safetensors"))
    missing = [path.name for path in required if not path.is_file()] + ([] if weights else ["*.safetensors"])
    if missing:
        raise InvalidSetting("backbone.folder", folder, f"a local transformers folder; it has no {', '.join(missing)}")
    return sorted(required + weights)


def backbone_sha256(folder: str) -> str:
    """64 hex digits over the names and bytes of `backbone_files`."""
    digest = hashlib.sha256()
    for path in backbone_files(folder):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
