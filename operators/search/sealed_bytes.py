"""Bytes of another library's format behind a header of our own: nothing is handed to that library but what it wrote.

Layout: 8 bytes of magic; sha256 of all that follows; length of the header, 4 bytes, little endian; the header, JSON;
the content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch

_MAGIC = b"bqsealed"
_DIGEST_BYTES = 32
_LENGTH_BYTES = 4

Header = dict[str, Any]


def seal_bytes(header: Mapping[str, object], content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`content` uint8 `(num_bytes,)` behind a header of plain values."""
    text = json.dumps(dict(header), sort_keys=True).encode()
    follows = len(text).to_bytes(_LENGTH_BYTES, "little") + text
    digest = hashlib.sha256(follows)
    digest.update(np.ascontiguousarray(content).data)
    front = np.frombuffer(_MAGIC + digest.digest() + follows, np.uint8)
    return np.concatenate([front, content])


def unseal_bytes(sealed: NDArray[np.uint8]) -> tuple[Header, NDArray[np.uint8]]:
    """Header and content. Raises `ShapeMismatch` for other bytes, and where one byte changed or is missing."""
    if sealed.dtype != np.uint8 or sealed.ndim != 1:
        raise ShapeMismatch("sealed bytes", f"{sealed.dtype} {sealed.shape}", "uint8 (num_bytes,)")
    start = len(_MAGIC) + _DIGEST_BYTES
    if sealed[: len(_MAGIC)].tobytes() != _MAGIC or len(sealed) < start + _LENGTH_BYTES:
        raise ShapeMismatch("sealed bytes", f"{len(sealed)} bytes without our header", f"bytes that start {_MAGIC!r}")
    digest = hashlib.sha256(np.ascontiguousarray(sealed[start:]).data).hexdigest()
    expected = sealed[len(_MAGIC) : start].tobytes().hex()
    if digest != expected:
        raise ShapeMismatch("sealed bytes", f"sha256 {digest}", f"sha256 {expected}, as their header says")
    length = int.from_bytes(sealed[start : start + _LENGTH_BYTES].tobytes(), "little")
    text = sealed[start + _LENGTH_BYTES : start + _LENGTH_BYTES + length].tobytes()
    header: Header = json.loads(text)
    return header, sealed[start + _LENGTH_BYTES + length :]
