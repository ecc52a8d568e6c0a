"""Losses of DVB (equations 3.9 to 3.15 of Shen's thesis), each a mean, so that weights do not depend on the batch."""

from __future__ import annotations

import torch


def gaussian_divergence(
    posterior: tuple[torch.Tensor, torch.Tensor], prior: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """KL(q || p) of diagonal Gaussians given by mean and variance `(batch, latent)`: sum over dimensions, mean over the
    batch."""
    (mean_q, variance_q), (mean_p, variance_p) = posterior, prior
    terms = (variance_p / variance_q).log() + (variance_q + (mean_q - mean_p).square()) / variance_p - 1
    return terms.sum(dim=1).mean() / 2


def quantization_loss(codes: torch.Tensor) -> torch.Tensor:
    """H1: ||G - sign(G)||^2, mean over entries."""
    signs = torch.where(codes >= 0, 1.0, -1.0)
    return (codes - signs).square().mean()


def decorrelation_loss(codes: torch.Tensor) -> torch.Tensor:
    """H2: ||G^T G / N - I||^2, mean over entries. (Printed without the 1 / N, where the diagonal alone would be N.)"""
    identity = torch.eye(codes.shape[1], device=codes.device)
    return (codes.T @ codes / len(codes) - identity).square().mean()


def batch_affinity(rows: torch.Tensor, *, num_neighbors: int | None, temperature: float) -> torch.Tensor:
    """Symmetric 0/1 affinity `(batch, batch)` of the `num_neighbors` nearest rows of the batch (either way), or, for
    None, exp(-||x_i - x_j||^2 / temperature); zero diagonal."""
    squared = torch.cdist(rows, rows).square()
    squared.fill_diagonal_(float("inf"))
    if num_neighbors is None:
        return torch.exp(-squared / temperature)
    nearest = squared.topk(min(num_neighbors, len(rows) - 1), largest=False).indices
    affinity = torch.zeros_like(squared).scatter_(1, nearest, 1.0)
    return torch.maximum(affinity, affinity.T)


def manifold_loss(codes: torch.Tensor, affinity: torch.Tensor) -> torch.Tensor:
    """H3: tr(G^T S G) with S = diag(A 1) - A, that is half the sum of A_ij ||g_i - g_j||^2, per link and bit; links
    below 0 drive apart.

    Printed with a minus sign, which drives similar items apart.
    """
    laplacian = torch.diag(affinity.sum(dim=1)) - affinity
    total = ((laplacian @ codes) * codes).sum()
    return total / (affinity.abs().sum().clamp_min(1.0) * codes.shape[1])
