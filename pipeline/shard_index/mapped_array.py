"""`map_array`: a `.npy` file as an array that is read where it lies."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

_HEADER = re.compile(r"\{'descr': '([<|=>]?[a-z][0-9]+)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \}\s*")


def map_array(path: Path) -> NDArray[Any]:
    """The read-only array that `numpy.save` wrote, memory-mapped. Safe to call from several threads: `numpy.load` is
    not, because the parser of Python 3.11 that it reads headers with fails at random when two threads use it
    (python/cpython issue 106905). Raises `ValueError` for a file that is none."""
    with path.open("rb") as file:
        version = npy_format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{path.name}: npy format {version}, expected (1, 0)")
        (num_bytes,) = struct.unpack("<H", file.read(2))
        header = file.read(num_bytes).decode("latin-1")
        offset = file.tell()
    match = _HEADER.fullmatch(header)
    if match is None:
        raise ValueError(f"{path.name}: header {header.strip()!r}, expected that of an array in C order")
    shape = tuple(int(length) for length in match[2].split(",") if length.strip())
    dtype = np.dtype(match[1])
    if 0 in shape:  # nothing that could be mapped
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape)
