"""Lloyd's k-means with k-means++ seeding (Arthur and Vassilvitskii, SODA 2007)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting

_ROWS_PER_BLOCK = 8192
_SEEDING_ROWS_PER_CENTRE = 32


@dataclass(frozen=True, eq=False)
class KMeans:
    """`centres` float32 `(num_centres, num_dims)`, `assignment` int64 `(num_rows,)` to the nearest of them, `errors`:
    mean squared distance to the nearest centre, before the first step and after each; it never rises."""

    centres: NDArray[np.float32]
    assignment: NDArray[np.int64]
    errors: tuple[float, ...]


def k_means(rows: NDArray[np.float32], *, num_centres: int, num_iterations: int, seed: int) -> KMeans:
    """Centres of float32 `(num_rows, num_dims)`; stops early when no row changes its centre.

    A centre that loses all its rows moves to the row that is farthest from its own. Deterministic for one seed. Raises
    `InvalidSetting` when there are fewer rows than centres.
    """
    if len(rows) < num_centres:
        raise InvalidSetting("num_centres", str(num_centres), f"at most {len(rows)}, the rows to cluster")
    centres = _seeded_centres(rows, num_centres, np.random.default_rng(seed))
    assignment, squared = nearest_centre(rows, centres)
    errors = [float(squared.mean(dtype=np.float64))]
    for _ in range(num_iterations):
        centres = _means(rows, assignment, squared, centres)
        moved, squared = nearest_centre(rows, centres)
        errors.append(float(squared.mean(dtype=np.float64)))
        settled = bool((moved == assignment).all())
        assignment = moved
        if settled:
            break
    return KMeans(centres, assignment, tuple(errors))


def nearest_centre(
    rows: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Nearest centre of every row (ties to the lower number) and the squared distance to it, float32 `(num_rows,)`."""
    assignment = np.empty(len(rows), np.int64)
    squared = np.empty(len(rows), np.float32)
    lengths = np.square(centres, dtype=np.float64).sum(axis=1)
    for start in range(0, len(rows), _ROWS_PER_BLOCK):
        block = slice(start, start + _ROWS_PER_BLOCK)
        scores = lengths - 2.0 * (rows[block] @ centres.T)
        assignment[block] = scores.argmin(axis=1)
        differences = rows[block] - centres[assignment[block]]
        squared[block] = np.einsum("ij,ij->i", differences, differences)
    return assignment, squared


def _seeded_centres(rows: NDArray[np.float32], num_centres: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Rows drawn one by one, each with a chance that grows with its squared distance to those before."""
    sample = rows[rng.permutation(len(rows))[: _SEEDING_ROWS_PER_CENTRE * num_centres]]
    chosen = [0]
    squared = np.full(len(sample), np.inf, np.float64)
    while len(chosen) < num_centres:
        differences = sample - sample[chosen[-1]]
        squared = np.minimum(squared, np.einsum("ij,ij->i", differences, differences, dtype=np.float64))
        squared[chosen] = 0
        total = squared.sum()
        weights = squared / total if total > 0 else None
        if weights is None:  # every row equals a centre already
            left = np.setdiff1d(np.arange(len(sample)), chosen)
            chosen.append(int(left[0]))
        else:
            chosen.append(int(rng.choice(len(sample), p=weights)))
    return np.ascontiguousarray(sample[chosen])


def _means(
    rows: NDArray[np.float32],
    assignment: NDArray[np.int64],
    squared: NDArray[np.float32],
    centres: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The mean of the rows of every centre; an empty one takes the farthest row that no other empty one has taken."""
    counts = np.bincount(assignment, minlength=len(centres))
    order = np.argsort(assignment, kind="stable")
    filled = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[filled])[:-1]])
    means = centres.copy()
    sums = _sums_of_runs(rows, order, starts)
    means[filled] = (sums / counts[filled, None]).astype(np.float32)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        means[empty] = rows[np.argsort(-squared, kind="stable")[: len(empty)]]
    return means


def _sums_of_runs(
    rows: NDArray[np.float32], order: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """float64 sums of the rows `order[starts[i]:starts[i + 1]]`."""
    ends = [*starts[1:].tolist(), len(order)]
    runs = zip(starts.tolist(), ends, strict=True)
    return np.stack([rows[order[start:end]].sum(axis=0, dtype=np.float64) for start, end in runs])
