"""The objective of APHash: anchors' neighbourhoods among items against those that their codes make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch

_PAIRS_PER_BLOCK = 1 << 18  # a matrix of them is 1 MiB: what is made of it stays in the cache


@dataclass(frozen=True, eq=False)
class NeighborhoodDivergence:
    """J0 = KL(P || Q). `members` bool `(num_items, num_anchors)`: P is uniform over the members of an anchor.

    Q is Student-t over all items: q_ij proportional to s_ij = 1 / (1 + |h_i - b_j|^2 / 4), h float32
    `(num_anchors, num_bits)`, b float32 `(num_items, num_bits)`. Every call costs O(num_anchors num_items num_bits)
    and holds a block of items by anchors at a time.
    """

    members: torch.Tensor

    def value(self, anchor_codes: torch.Tensor, item_codes: torch.Tensor) -> float:
        """J0."""
        log_sums = self.similarity_sums(anchor_codes, item_codes).log()
        spread = torch.zeros(len(anchor_codes), dtype=torch.float64, device=anchor_codes.device)
        for block, similar in self._blocks(anchor_codes, item_codes):
            spread -= (similar.log() * self.members[block]).sum(dim=0)
        return float((spread / self._counts - self._counts.log() + log_sums).sum())

    def similarity_sums(self, anchor_codes: torch.Tensor, item_codes: torch.Tensor) -> torch.Tensor:
        """sum_j s_ij of every anchor i, float64 `(num_anchors,)`."""
        sums = torch.zeros(len(anchor_codes), dtype=torch.float64, device=anchor_codes.device)
        for _, similar in self._blocks(anchor_codes, item_codes):
            sums += similar.sum(dim=0)
        return sums

    def anchor_gradient(self, anchor_codes: torch.Tensor, item_codes: torch.Tensor) -> torch.Tensor:
        """dJ0/dh_i = 1/2 sum_j (p_ij - q_ij) s_ij (h_i - b_j)."""
        gradient = torch.zeros_like(anchor_codes)
        for block, forces in self._forces(anchor_codes, item_codes):
            gradient += forces.sum(dim=0)[:, None] * anchor_codes - forces.T @ item_codes[block]
        return gradient / 2

    def item_gradient(self, anchor_codes: torch.Tensor, item_codes: torch.Tensor) -> torch.Tensor:
        """dJ0/db_j = 1/2 sum_i (p_ij - q_ij) s_ij (b_j - h_i)."""
        gradient = torch.empty_like(item_codes)
        for block, forces in self._forces(anchor_codes, item_codes):
            gradient[block] = (forces.sum(dim=1)[:, None] * item_codes[block] - forces @ anchor_codes) / 2
        return gradient

    @cached_property
    def _counts(self) -> torch.Tensor:
        """Members of every anchor, float64 `(num_anchors,)`."""
        return self.members.count_nonzero(dim=0).double()

    def _forces(self, anchor_codes: torch.Tensor, item_codes: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """(p_ij - q_ij) s_ij of blocks of items, `(block, num_anchors)`."""
        share = (1 / self._counts).float()
        scale = (1 / self.similarity_sums(anchor_codes, item_codes)).float()
        for block, similar in self._blocks(anchor_codes, item_codes):
            yield block, (self.members[block] * share - similar * scale).mul_(similar)

    def _blocks(self, anchor_codes: torch.Tensor, item_codes: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """s_ij of blocks of items, `(block, num_anchors)`."""
        anchor_lengths = anchor_codes.square().sum(dim=1)
        step = max(1, _PAIRS_PER_BLOCK // len(anchor_codes))
        for start in range(0, len(item_codes), step):
            block = slice(start, start + step)
            items = item_codes[block]
            squared = torch.addmm(anchor_lengths + items.square().sum(dim=1)[:, None], items, anchor_codes.T, alpha=-2)
            yield block, squared.clamp_(min=0).mul_(0.25).add_(1).reciprocal_()


def binary_penalty(codes: torch.Tensor) -> torch.Tensor:
    """| |codes| - 1 |^2 divided by the number of entries: one term of J1."""
    return (codes.abs() - 1).square().mean()


def binary_penalty_gradient(codes: torch.Tensor) -> torch.Tensor:
    """Of `binary_penalty`: 2 (|b| - 1) sign(b) / number of entries."""
    return 2 * (codes - torch.where(codes >= 0, 1.0, -1.0)) / codes.numel()
