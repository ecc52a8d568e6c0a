"""Selection against a full sort, on heavily tied input and any cut into blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.smallest_k import SmallestK, composite_keys, split_keys


def feed_in_blocks(smallest: SmallestK, distances: np.ndarray, cuts: list[int], row_cut: int) -> None:
    for start, stop in zip([0, *cuts], [*cuts, distances.shape[1]], strict=True):
        for rows in (slice(0, row_cut), slice(row_cut, None)):
            smallest.feed(range(len(distances))[rows].start, distances[rows, start:stop], start)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), num_columns=st.integers(0, 60), num_values=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_equals_full_sort(data: st.DataObject, num_columns: int, num_values: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    distances: np.ndarray = rng.integers(0, num_values, (4, num_columns)).astype(np.uint8)
    if data.draw(st.booleans()):
        distances = -np.sort(-distances.astype(np.int16), axis=1)  # worst case: all later ones enter
    k = data.draw(st.integers(1, 70))
    cuts = sorted(data.draw(st.lists(st.integers(0, num_columns), max_size=4)))
    smallest = SmallestK(4, k)
    feed_in_blocks(smallest, distances, cuts, data.draw(st.integers(0, 4)))
    found, positions, counts = smallest.sorted_entries()
    assert counts.tolist() == [min(k, num_columns)] * 4
    for row in range(4):
        expected = sorted((int(distance), place) for place, distance in enumerate(distances[row]))[:k]
        count = counts[row]
        assert list(zip(found[row, :count].tolist(), positions[row, :count].tolist(), strict=True)) == expected


def test_keys_sort_by_distance_then_position_and_split_back() -> None:
    distances, positions = np.array([3, 0, 3, 2**22]), np.array([2**39, 2**39, 7, 0])
    keys = composite_keys(distances, positions)
    assert np.argsort(keys).tolist() == [1, 2, 0, 3]
    back = split_keys(keys)
    assert back[0].tolist() == distances.tolist()
    assert back[1].tolist() == positions.tolist()
