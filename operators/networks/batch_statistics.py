"""Statistics of batch normalisation, measured once training has moved the weights."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

_MAX_ROWS = 4096
_BLOCK_ROWS = 512


def measure_batch_statistics(network: torch.nn.Module, rows: torch.Tensor, *, seed: int) -> None:
    """Give every batch normalisation of `network` the mean and variance that a seeded sample of `rows`, float32
    `(num_items, num_dims)`, has there; nothing happens to networks without one.

    The running averages of training lag behind the weights, by much where epochs have few batches, know only one
    worker's batches, and come from augmented pictures. ("Precise" statistics: Wu and Johnson, "Rethinking batch in
    batch norm", 2021, section 3.)
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    if not layers or len(rows) < 2:
        return
    generator = torch.Generator().manual_seed(seed)
    sample = torch.randperm(len(rows), generator=generator)[:_MAX_ROWS]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over blocks
    was_training = network.training
    network.train()
    device = next(network.parameters()).device
    with torch.no_grad():
        for block in sample.tensor_split(-(-len(sample) // _BLOCK_ROWS)):
            network(rows[block].to(device))
    network.train(was_training)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
