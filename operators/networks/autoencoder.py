"""A fully connected autoencoder whose code layer has length 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


class Autoencoder(nn.Module):
    """Features `(batch, num_dims)` -> code layer `(batch, width)`, rows of length 1; `decode` mirrors the encoder.

    Encoder: `hidden` widths with ReLU, then a linear layer, then scaling to length 1, which gives margins between
    squared distances (0 to 4) a fixed meaning. Features are centred on `centre` and scaled to length 1 first
    (`prepare`), so that every kind of feature comes in one scale. Weights come from torch's random state.
    """

    centre: torch.Tensor

    def __init__(self, centre: torch.Tensor, width: int, *, hidden: Sequence[int]) -> None:
        super().__init__()
        num_dims = len(centre)
        self.register_buffer("centre", centre.clone())
        self.encoder = _dense((num_dims, *hidden, width))
        self.decoder = _dense((width, *reversed(hidden), num_dims))
        # Prepared rows have length 1; layers are made for entries of size about 1.
        self._gain = num_dims**0.5

    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        """Centred rows of length 1 (a row on the centre stays 0)."""
        return nn.functional.normalize(features - self.centre, dim=1)

    def encode(self, prepared: torch.Tensor) -> torch.Tensor:
        """The code layer of prepared rows."""
        outputs: torch.Tensor = self.encoder(prepared * self._gain)
        return nn.functional.normalize(outputs, dim=1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Code layer, or words in its space, back to prepared rows."""
        decoded: torch.Tensor = self.decoder(codes) / self._gain
        return decoded

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.encode(self.prepare(features))

    def rotate(self, rotation: torch.Tensor) -> None:
        """Turn the code layer by an orthogonal `(width, width)`: codes become `codes @ rotation`, decoding stays."""
        last, first = self.encoder[-1], self.decoder[0]
        if not isinstance(last, nn.Linear) or not isinstance(first, nn.Linear):
            raise TypeError("an autoencoder's code layer lies between two linear layers")
        with torch.no_grad():
            last.weight.copy_(rotation.T @ last.weight)
            last.bias.copy_(last.bias @ rotation)
            first.weight.copy_(first.weight @ rotation)


def _dense(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for num_inputs, num_outputs in pairwise(widths):
        layers += [nn.Linear(num_inputs, num_outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
