"""What a search keeps beside the codes of a shard, as files: `<shard>.<kind>.<name>.npy`, all memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from pipeline.shard_index.index_manifest import IndexFile
from pipeline.shard_index.mapped_array import map_array
from pipeline.shard_index.shard_files import HashedFile


def write_structure(folder: Path, shard: str, kind: str, arrays: Mapping[str, NDArray[Any]]) -> tuple[IndexFile, ...]:
    """One file per array, in the order of their names."""
    written = []
    for name, array in sorted(arrays.items()):
        file = HashedFile(folder / f"{shard}.{kind}.{name}.npy")
        try:
            npy_format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        finally:
            file.close()
        written.append(file.entry())
    return tuple(written)


def map_structure(paths: Mapping[str, Path]) -> dict[str, NDArray[Any]]:
    """The arrays by name, from paths by the names of files. Raises ValueError for a file that is none of numpy's."""
    return {name.split(".")[-2]: map_array(path) for name, path in sorted(paths.items())}
