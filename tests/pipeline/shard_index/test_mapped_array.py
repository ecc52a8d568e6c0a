from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.shard_index.mapped_array import map_array


@pytest.mark.parametrize("dtype", ["u1", "<i8", "<u8", "<u4", "<f4", "?", ">i2"])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (0, 8), (5, 3), (2, 3, 4)])
def test_what_numpy_saved_is_mapped(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    saved = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    np.save(tmp_path / "a.npy", saved)
    mapped = map_array(tmp_path / "a.npy")
    assert (mapped.dtype, mapped.shape) == (saved.dtype, saved.shape)
    np.testing.assert_array_equal(mapped, saved)


@pytest.mark.parametrize("content", [b"", b"no array of numpy at all", b"\x93NUMPY\x01\x00\x02\x00{}"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"magic|header|read"):
        map_array(tmp_path / "a.npy")


def test_objects_other_orders_and_cut_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([None, 1], dtype=object), allow_pickle=True)
    np.save(tmp_path / "columns.npy", np.asfortranarray(np.ones((3, 4))))
    np.save(tmp_path / "cut.npy", np.arange(100))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-8])
    for name in ("objects", "columns", "cut"):
        with pytest.raises(ValueError, match=r"expected that of an array|greater than file size"):
            map_array(tmp_path / f"{name}.npy")


def test_many_threads_map_at_once(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(10).reshape(5, 2))
    with ThreadPoolExecutor(8) as threads:
        shapes = list(threads.map(lambda _: map_array(tmp_path / "a.npy").shape, range(2000)))
    assert set(shapes) == {(5, 2)}
