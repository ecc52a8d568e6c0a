"""Every pair is visited once, whatever the block size."""

from __future__ import annotations

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.search import block_scan
from operators.search.block_scan import rank_nearest, scan_blocks
from operators.search.hamming_flat import HammingScan
from tests.oracles import rankings_of


@pytest.mark.parametrize(("num_queries", "num_codes"), [(0, 9), (9, 0), (1, 200), (50, 33), (7, 64)])
@pytest.mark.parametrize("block_bytes", [1, 8 * 16 * 4, 10**6])
def test_visits_every_pair_once(
    monkeypatch: pytest.MonkeyPatch, num_queries: int, num_codes: int, block_bytes: int
) -> None:
    monkeypatch.setattr(block_scan, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(block_scan, "_MIN_BLOCK_CODES", 16)
    rng = np.random.default_rng(1)
    codes = BinaryCodes.from_bits(rng.random((num_codes, 24)) < 0.5)
    queries = BinaryCodes.from_bits(rng.random((num_queries, 24)) < 0.5)
    visits = np.zeros((num_queries, num_codes), np.int64)
    for block in scan_blocks(HammingScan(codes, queries)):
        height, width = block.distances.shape
        assert height == 1 or height * width * 8 <= max(block_bytes, 8 * 16)
        visits[block.first_query : block.first_query + height, block.first_code : block.first_code + width] += 1
    assert np.all(visits == 1)


def test_below_cuts_far_answers_off() -> None:
    bits = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=bool)
    codes = BinaryCodes.from_bits(bits)
    answer = rank_nearest(HammingScan(codes, codes[slice(0, 1)]), np.arange(4), k=4, below=2)
    assert rankings_of(answer) == [[(0, 0), (1, 1)]]
