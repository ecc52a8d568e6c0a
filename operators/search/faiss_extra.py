"""Faiss, which is an extra of the package: imported where it is used, refused by name where it is not there."""

from __future__ import annotations

from typing import Any

from operators.errors import InvalidSetting


def load_faiss(kind: str) -> Any:
    """The module `faiss`. Raises `InvalidSetting` that names the extra, for an index of this `kind`."""
    try:
        import faiss
    except ImportError:
        raise InvalidSetting("index kind", kind, "Faiss installed; run: pip install 'bitquarry[faiss]'") from None
    return faiss
