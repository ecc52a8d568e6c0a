"""Small JSON files that notice a changed byte: the object carries the sha256 of itself."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.errors import CorruptFile

SEAL = "sha256_of_this"


def seal(content: dict[str, Any]) -> bytes:
    """The content and its digest as JSON text for people and programs."""
    return json.dumps({**content, SEAL: _digest(content)}, indent=1, ensure_ascii=False).encode() + b"\n"


def unseal(data: bytes, uri: str, *, format_version: int, remedy: str) -> dict[str, Any]:
    """The content that `seal` was given. Raises `CorruptFile` for changed bytes or another `format_version`."""
    try:
        content = json.loads(data)
    except ValueError:
        raise CorruptFile(uri, "not JSON", remedy) from None
    if not isinstance(content, dict):
        raise CorruptFile(uri, f"expected a JSON object, got {type(content).__name__}", remedy)
    if content.get("format_version") != format_version:
        wrong = f"written in format {content.get('format_version')!r}, this version of bitquarry reads {format_version}"
        raise CorruptFile(uri, wrong, remedy)
    if content.pop(SEAL, None) != _digest(content):
        raise CorruptFile(uri, f"its bytes do not match their own {SEAL}", remedy)
    return content


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
