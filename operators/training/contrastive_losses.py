"""Losses of CIBHash (Qiu et al., "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021)."""

from __future__ import annotations

import torch
from torch.nn import functional


def straight_through_codes(probabilities: torch.Tensor) -> torch.Tensor:
    """+1 where a bit's probability is at least a half, else -1; the gradient passes to `2 p - 1` unchanged."""
    soft = 2 * probabilities - 1
    return soft + (torch.where(soft >= 0, 1.0, -1.0) - soft).detach()


def normalised_temperature_loss(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """NT-Xent: of the 2 n rows each has one positive, its other view; cross-entropy of softmax(cosine / temperature)
    over all rows but itself, mean over all rows."""
    rows = functional.normalize(torch.cat([first, second]), dim=1)
    logits = rows @ rows.T / temperature
    logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool, device=rows.device), float("-inf"))
    count = len(first)
    positives = torch.cat([torch.arange(count, 2 * count), torch.arange(count)]).to(rows.device)
    return functional.cross_entropy(logits, positives)


def bernoulli_divergence(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Symmetric KL of two views' bit probabilities `(batch, num_bits)`: (KL(p || q) + KL(q || p)) / 2, summed over
    bits, mean over the batch."""
    p, q = first.clamp(1e-6, 1 - 1e-6), second.clamp(1e-6, 1 - 1e-6)
    both = (p - q) * ((p / q).log() - ((1 - p) / (1 - q)).log())
    return both.sum(dim=1).mean() / 2
