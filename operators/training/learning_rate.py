"""Learning rates as functions of the progress, so that a resumed run has the rate of an undisturbed one."""

from __future__ import annotations

import math

import torch


def cosine_rate(progress: float, *, warmup: float = 0.1) -> float:
    """Share of the peak rate at `progress` in [0, 1]: linear rise over the first `warmup`, then half a cosine to 0."""
    if progress < warmup:
        return max(progress, 1e-3) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set every group to `rate` times its own "rate_factor" (1 where it has none)."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)
