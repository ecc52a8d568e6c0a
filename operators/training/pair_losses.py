"""Losses over all pairs of a batch."""

from __future__ import annotations

import torch


def similar_pairs(labels: torch.Tensor) -> torch.Tensor:
    """bool `(batch, batch)`: equal class numbers `(batch,)`, or at least one shared label `(batch, num_classes)`."""
    if labels.ndim == 1:
        return labels[:, None] == labels[None, :]
    return labels.float() @ labels.float().T > 0


def contrastive_pair_loss(
    outputs: torch.Tensor, similar: torch.Tensor, *, margin: float, balanced: bool = False
) -> torch.Tensor:
    """Mean over the pairs i < j of a batch of eq. 3 of DSH (Liu et al., CVPR 2016), with its factors of a half:
    d / 2 for similar pairs, max(margin - d, 0) / 2 for others, d being the squared distance of two rows of `outputs`
    `(batch, num_bits)`. `balanced`: the mean of the two kinds of pairs, each averaged by itself.
    """
    squared = torch.cdist(outputs, outputs, compute_mode="donot_use_mm_for_euclid_dist").square()
    above = torch.ones_like(similar).triu(diagonal=1)
    attract = squared[similar & above] / 2
    repel = (margin - squared[~similar & above]).clamp_min(0) / 2
    if not balanced:
        return torch.cat([attract, repel]).mean()
    parts = [part.mean() for part in (attract, repel) if len(part)]
    return torch.stack(parts).mean()


def binary_regulariser(outputs: torch.Tensor) -> torch.Tensor:
    """Sum over bits of | |b| - 1 |, mean over the batch (eq. 4 of DSH, each item once)."""
    return (outputs.abs() - 1).abs().sum(dim=1).mean()
