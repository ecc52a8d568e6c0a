"""Running statistics of batch normalisation that start anew in every epoch."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

_SMALLEST_MOMENTUM = 0.1


def average_batch_statistics(module: torch.nn.Module, batch_number: int) -> None:
    """Before the batch of this number within its epoch: statistics become the plain mean over the epoch's first ten
    batches, then torch's usual moving average.

    torch starts the moving average from mean 0 and variance 1 and never forgets that within the few batches that a
    small data set has: after a run of 20 batches an eighth of it is still there.
    """
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.momentum = max(_SMALLEST_MOMENTUM, 1 / (batch_number + 1))
