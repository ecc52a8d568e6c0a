"""A small convolutional network for pictures of 28 to 64 pixels."""

from __future__ import annotations

import torch
from torch import nn

from operators.networks.picture_rows import picture_shape, to_pictures


class SmallCnn(nn.Module):
    """float `(batch, num_dims)` picture rows -> `(batch, num_outputs)`, linear.

    Three blocks of a 3 x 3 convolution, batch normalisation, ReLU and 2 x 2 max pooling (the last: mean over all
    positions), `width` channels in the first and twice as many in each that follows.
    """

    def __init__(self, num_dims: int, num_outputs: int, *, width: int = 32) -> None:
        super().__init__()
        self._shape = picture_shape(num_dims)
        self.convolutions = nn.Sequential(
            *_block(self._shape[0], width),
            nn.MaxPool2d(2),
            *_block(width, 2 * width),
            nn.MaxPool2d(2),
            *_block(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.output = nn.Linear(4 * width, num_outputs)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.output(self.convolutions(to_pictures(rows, self._shape)))
        return outputs


def _block(num_inputs: int, num_outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(num_inputs, num_outputs, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(num_outputs), nn.ReLU()]
