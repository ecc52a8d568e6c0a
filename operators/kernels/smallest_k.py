"""The k smallest distances of each row, ties to the lower position, fed block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# One int64 sorts as (distance, position): distances below 2**23, positions below 2**40.
POSITION_BITS = 40
# For distances of 32 bits: positions below 2**31.
WIDE_POSITION_BITS = 31
_NO_KEY = np.iinfo(np.int64).max


def composite_keys(
    distances: NDArray[np.integer], positions: NDArray[np.int64], position_bits: int = POSITION_BITS
) -> NDArray[np.int64]:
    """One int64 per entry that sorts by distance, then position. Shapes broadcast."""
    return (distances.astype(np.int64) << position_bits) | positions


def split_keys(
    keys: NDArray[np.int64], position_bits: int = POSITION_BITS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distances and positions of composite keys."""
    return keys >> position_bits, keys & ((1 << position_bits) - 1)


class SmallestK:
    """Keeps the `k` smallest (distance, position) of each of `num_rows` rows.

    Every row must be fed the same positions, in ascending order. Memory: 8 bytes times `num_rows` times `k`, plus a few
    times the block while it is being fed. `position_bits` leaves the other 63 - `position_bits` to the distance.
    """

    def __init__(self, num_rows: int, k: int, position_bits: int = POSITION_BITS) -> None:
        self.k = k
        self._position_bits = position_bits
        self._keys = np.full((num_rows, k), _NO_KEY, np.int64)  # unordered, the largest last

    def feed(self, first_row: int, distances: NDArray[np.integer], first_position: int) -> None:
        """Add distances `(rows, num_positions)` of the rows from `first_row` on."""
        keys = self._keys[first_row : first_row + len(distances)]
        if not distances.size:
            return
        if first_position < self.k:
            positions = np.arange(first_position, first_position + distances.shape[1])
            self._keep_smallest(keys, composite_keys(distances, positions[None, :], self._position_bits))
        else:
            self._feed_full_rows(keys, distances, first_position)

    def _feed_full_rows(self, keys: NDArray[np.int64], distances: NDArray[np.integer], first_position: int) -> None:
        """Rows that hold k entries already: only a strictly smaller distance can enter, for its position is higher."""
        worst = (keys[:, -1] >> self._position_bits).astype(distances.dtype)
        entering = np.flatnonzero(distances < worst[:, None])
        if not len(entering):
            return
        num_columns = distances.shape[1]
        rows, columns = np.divmod(entering, num_columns)
        touched, starts, counts = np.unique(rows, return_index=True, return_counts=True)
        place = np.arange(len(rows)) - np.repeat(starts, counts)
        candidates = np.full((len(touched), counts.max()), _NO_KEY, np.int64)
        candidates[np.repeat(np.arange(len(touched)), counts), place] = composite_keys(
            distances.reshape(-1)[entering], first_position + columns, self._position_bits
        )
        merged = keys[touched]
        self._keep_smallest(merged, candidates)
        keys[touched] = merged

    def _keep_smallest(self, keys: NDArray[np.int64], candidates: NDArray[np.int64]) -> None:
        both = np.concatenate([keys, candidates], axis=1)
        both.partition(self.k - 1, axis=1)
        keys[:] = both[:, : self.k]

    def sorted_entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Distances int64 `(num_rows, k)` and positions int64 `(num_rows, k)` in order, and counts int64
        `(num_rows,)`. Entries past a row's count are meaningless."""
        keys = np.sort(self._keys, axis=1)
        distances, positions = split_keys(keys, self._position_bits)
        return distances, positions, (keys != _NO_KEY).sum(axis=1, dtype=np.int64)
