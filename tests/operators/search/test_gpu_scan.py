"""The scan with torch gives what the flat scan gives; on the CPU here, on a GPU where there is one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, SearchCancelled, ShapeMismatch
from operators.ranked_neighbors import RankedNeighbors
from operators.search import gpu_scan
from operators.search.allowed_rows import AllowedRows
from operators.search.block_scan import scan_blocks
from operators.search.gpu_scan import GpuCodes, GpuScan, search_gpu
from operators.search.hamming_flat import HammingScan, search_flat
from operators.search.scan_options import ScanOptions


def _codes(rng: np.random.Generator, num_codes: int, num_bits: int, num_distinct: int) -> BinaryCodes:
    distinct = rng.random((num_distinct, num_bits)) < 0.5
    return BinaryCodes.from_bits(distinct[rng.integers(0, num_distinct, num_codes)])


def _same(left: RankedNeighbors, right: RankedNeighbors) -> None:
    for name in ("distances", "ids", "counts"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def _check(device: str, num_bits: int, num_codes: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_distinct = int(rng.choice([2, 1000]))  # few: most distances tie
    codes, queries = _codes(rng, num_codes, num_bits, num_distinct), _codes(rng, 3, num_bits, num_distinct)
    ids = np.sort(rng.choice(10**6, num_codes, replace=False)).astype(np.int64)
    uploaded = GpuCodes(codes, device)
    for share in (None, 0.0, 0.2):
        allowed = None if share is None else AllowedRows.from_mask(rng.random(num_codes) < share)
        options = ScanOptions(allowed=allowed)
        _same(
            search_gpu(uploaded, ids, queries, k=k, options=options),
            search_flat(codes, ids, queries, k=k, options=options),
        )
    below = int(rng.integers(1, num_bits + 2))
    found, expected = (
        [
            part[:, : counts.max(initial=0)][np.arange(counts.max(initial=0)) < counts[:, None]].tolist()
            for part in parts
        ]
        for *parts, counts in (
            GpuScan(uploaded, queries).nearest(k, below),
            HammingScan(codes, queries).nearest(k, below),
        )
    )
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(
    num_bits=st.sampled_from([1, 7, 8, 48, 64, 100, 512]),
    num_codes=st.integers(0, 200),
    k=st.integers(1, 230),
    block_bytes=st.sampled_from([1, 2**14, 2**24]),
    seed=st.integers(0, 2**32),
)
def test_equals_the_flat_scan(num_bits: int, num_codes: int, k: int, block_bytes: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gpu_scan, "_BLOCK_BYTES", {"cpu": block_bytes})
        patched.setattr(gpu_scan, "_QUERIES_AT_ONCE", 2)
        _check("cpu", num_bits, num_codes, k, seed)


@pytest.mark.gpu
@pytest.mark.parametrize("num_bits", [16, 64, 100, 256, 2048, 4096])
@pytest.mark.parametrize("k", [1, 10, 3000])
def test_a_gpu_equals_the_flat_scan(num_bits: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    _check("cuda", num_bits, 20_000, k, 0)
    monkeypatch.setattr(gpu_scan, "_BLOCK_BYTES", {"cpu": 2**20, "cuda": 2**22})
    _check("cuda", num_bits, 20_000, k, 1)


def test_wide_codes_are_exact() -> None:
    ones, zeros = (BinaryCodes.from_bits(np.full((1, 4096), value)) for value in (True, False))
    bits = np.zeros((2, 4096), bool)
    bits[0, :4095], bits[1, :4094] = True, True
    found = search_gpu(GpuCodes(BinaryCodes.from_bits(bits), "cpu"), np.arange(2), zeros, k=2)
    assert found.distances.tolist() == [[4094, 4095]]
    assert search_gpu(GpuCodes(ones, "cpu"), np.arange(1), ones, k=1).distances.tolist() == [[0]]


def test_blocks_of_distances_equal_those_of_the_flat_scan() -> None:
    rng = np.random.default_rng(0)
    codes, queries = _codes(rng, 50, 20, 50), _codes(rng, 3, 20, 50)
    (found,), (expected,) = (
        list(scan_blocks(scan)) for scan in (GpuScan(GpuCodes(codes, "cpu"), queries), HammingScan(codes, queries))
    )
    np.testing.assert_array_equal(found.distances, expected.distances)
    rows = np.array([3, 7, 40])
    _, places, _ = GpuScan(GpuCodes(codes, "cpu"), queries).select(rows).nearest(2, None)
    _, expected_places, _ = HammingScan(codes, queries).select(rows).nearest(2, None)
    np.testing.assert_array_equal(places, expected_places)


def test_read_only_codes_are_uploaded() -> None:
    codes = _codes(np.random.default_rng(0), 20, 16, 20)
    codes.packed.flags.writeable = False
    _same(search_gpu(GpuCodes(codes, "cpu"), np.arange(20), codes, k=3), search_flat(codes, np.arange(20), codes, k=3))


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cuda:999", "cpu:1", ""])
def test_unknown_or_absent_device(device: str) -> None:
    with pytest.raises(InvalidSetting, match=f"device = '{device}'"):
        GpuCodes(_codes(np.random.default_rng(0), 2, 16, 2), device)


def test_cuda_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InvalidSetting, match="device = 'cuda': expected a GPU that is there; torch sees 0"):
        GpuCodes(_codes(np.random.default_rng(0), 2, 16, 2), "cuda")


def test_bad_asking_is_refused() -> None:
    rng = np.random.default_rng(0)
    codes = GpuCodes(_codes(rng, 5, 16, 5), "cpu")
    with pytest.raises(ShapeMismatch, match="32 bits, expected 16 bits"):
        search_gpu(codes, np.arange(5), _codes(rng, 1, 32, 5), k=1)
    with pytest.raises(InvalidSetting, match="k = 0"):
        search_gpu(codes, np.arange(5), _codes(rng, 1, 16, 5), k=0)
    with pytest.raises(ShapeMismatch, match="of 4 rows, expected of 5 codes"):
        GpuScan(codes, _codes(rng, 1, 16, 5), ScanOptions(allowed=AllowedRows.from_mask(np.ones(4, bool))))
    with pytest.raises(SearchCancelled):
        search_gpu(codes, np.arange(5), _codes(rng, 1, 16, 5), k=1, options=ScanOptions(cancelled=lambda: True))


def test_the_last_mask_stays_on_the_device() -> None:
    rng = np.random.default_rng(3)
    codes = GpuCodes(_codes(rng, 70, 16, 5), "cpu")
    first, second = (AllowedRows.from_mask(rng.random(70) < 0.5) for _ in range(2))
    mask = codes.mask_of(first)
    assert codes.mask_of(first) is mask
    for allowed in (second, first):
        np.testing.assert_array_equal(codes.mask_of(allowed).numpy(), allowed.to_mask())
