"""Losses over triplets of an anchor, an item near it and an item far from it."""

from __future__ import annotations

import torch


def weighted_triplet_loss(
    squared_near: torch.Tensor, squared_far: torch.Tensor, weights: torch.Tensor, *, margin: float
) -> torch.Tensor:
    """sum over i, k of w_ik max(0, margin + d_ij - d_ik), divided by the sum of w_ik: the weighted mean over triplets.

    `squared_near` `(num_anchors,)`: d_ij of every anchor and its near item; `squared_far`, `weights`
    `(num_anchors, num_candidates)`: d_ik and w_ik >= 0. Without any weight the loss is 0.
    """
    hinge = torch.relu(margin + squared_near[:, None] - squared_far)
    return (weights * hinge).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)


def squared_distances(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """`(num_rows, num_others)`, by inner products."""
    squared = rows.square().sum(dim=1)[:, None] + others.square().sum(dim=1) - 2 * rows @ others.T
    return squared.clamp_min(0)
