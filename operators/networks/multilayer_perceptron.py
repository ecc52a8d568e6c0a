"""A multilayer perceptron for feature vectors of any kind."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class MultilayerPerceptron(nn.Module):
    """float `(batch, num_dims)` -> `(batch, num_outputs)`, linear; `hidden` widths in between, each with ReLU.

    Inputs are standardised first (batch statistics in training, running ones after): features come in every scale.
    """

    def __init__(self, num_dims: int, num_outputs: int, *, hidden: tuple[int, ...] = (1024,)) -> None:
        super().__init__()
        widths = (num_dims, *hidden)
        layers: list[nn.Module] = [nn.BatchNorm1d(num_dims, affine=False)]
        for num_inputs, num_hidden in pairwise(widths):
            layers += [nn.Linear(num_inputs, num_hidden), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.output = nn.Linear(widths[-1], num_outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.output(self.layers(rows))
        return outputs
