"""`compiled`: Python functions over numbers and arrays as machine code, kept on disk between processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call (seconds), for the machine at hand; later processes load what was kept beside the
    source or, where that cannot be written, in the user's cache. Other threads run while the function does."""
    # numba looks for changes in the function's own file only, but code of other files is compiled into it.
    function.__qualname__ = f"{function.__qualname__}_{_digest_of_kernels()}"
    try:
        kept: Callable[..., Any] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to write: each process compiles for itself
        kept = njit(nogil=True)(function)
    return kept


@lru_cache(maxsize=1)
def _digest_of_kernels() -> str:
    """Of every file that compiled code may come from; part of the names of what is kept."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
