"""Random walks over a graph of nearest items: what belongs together beyond the first neighbours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def walk_ends(
    neighbors: NDArray[np.int64], num_steps: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Where a random walk from every item ends after `num_steps` `(num_items,)`; int64 `(num_items,)`.

    `neighbors` int64 `(num_items, num_neighbors)`: a step goes to any of them with equal chance.
    """
    ends = np.arange(len(neighbors))
    for step in range(int(num_steps.max(initial=0))):
        further = neighbors[ends, rng.integers(0, neighbors.shape[1], len(ends))]
        ends = np.where(step < num_steps, further, ends)
    return ends


def walk_profiles(
    neighbors: NDArray[np.int64], *, num_steps: int, width: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Rows of length 1 whose inner products say how much the walks of `num_steps` from two items meet, float32
    `(num_items, width)`: 1 for walks that end alike, about 0 for walks that never meet.

    A sketch of the diffusion map (Coifman and Lafon, 2006): P^t R for the walk matrix P of the graph with its edges
    taken both ways and a Gaussian R, so that no eigenvector is needed; the part that all walks share is taken off.
    O(num_steps * num_edges * width).
    """
    num_items = len(neighbors)
    edges = _edges_both_ways(neighbors)
    degrees = torch.sparse.sum(edges, dim=1).to_dense()[:, None]
    rows = torch.from_numpy(rng.standard_normal((num_items, width))) / degrees.sqrt()
    for _ in range(num_steps):
        rows = torch.sparse.mm(edges, rows) / degrees
        rows = rows - (degrees * rows).sum(dim=0) / degrees.sum()
    return torch.nn.functional.normalize(rows, dim=1, eps=1e-300).float().numpy()


def walk_affinity(profiles: torch.Tensor, *, repulsion: float = 0.0) -> torch.Tensor:
    """Of a batch of rows of `walk_profiles`: their inner products `(batch, batch)` with a zero diagonal. Negative ones,
    of walks that meet less than chance, are scaled so that their sum is `repulsion` times that of the positive ones; 0
    leaves them out."""
    meeting = (profiles @ profiles.T).fill_diagonal_(0)
    near, far = meeting.clamp(min=0), meeting.clamp(max=0)
    return near + far * (repulsion * near.sum() / -far.sum().clamp(max=-1e-12))


def _edges_both_ways(neighbors: NDArray[np.int64]) -> torch.Tensor:
    """Sparse float64 `(num_items, num_items)`: how many edges join two items, 0 to 2."""
    num_items, num_neighbors = neighbors.shape
    starts, ends = np.repeat(np.arange(num_items), num_neighbors), neighbors.ravel()
    places = torch.from_numpy(np.stack([np.concatenate([starts, ends]), np.concatenate([ends, starts])]))
    ones = torch.ones(places.shape[1], dtype=torch.float64)
    size = (num_items, num_items)
    return torch.sparse_coo_tensor(places, ones, size, check_invariants=True).coalesce()
