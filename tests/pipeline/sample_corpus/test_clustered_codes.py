import numpy as np

from operators.binary_codes import BinaryCodes
from pipeline.sample_corpus.clustered_codes import clustered_codes, near_codes


def distances_between(left: BinaryCodes, right: BinaryCodes) -> np.ndarray:
    distances: np.ndarray = np.bitwise_count(left.packed[:, None] ^ right.packed[None, :]).sum(axis=2)
    return distances


def test_codes_lie_around_their_centres() -> None:
    codes = clustered_codes(2_000, 64, seed=3)
    assert np.array_equal(codes.packed, clustered_codes(2_000, 64, seed=3).packed)
    num_near = (distances_between(codes, codes[:200]) <= 12).sum(axis=0)
    assert 15 < num_near.mean() < 30


def test_queries_lie_near_codes() -> None:
    codes = clustered_codes(2_000, 128, seed=3)
    nearest = distances_between(near_codes(codes, 50, seed=4), codes).min(axis=1)
    assert 0 < nearest.mean() <= nearest.max() <= 6
