"""The network of DSH (Liu et al., "Deep supervised hashing for fast image retrieval", CVPR 2016)."""

from __future__ import annotations

import torch
from torch import nn

from operators.networks.picture_rows import picture_shape, to_pictures


class DshNetwork(nn.Module):
    """float `(batch, num_dims)` picture rows -> `(batch, num_outputs)`, linear.

    Three 5 x 5 convolutions (32, 32, 64), one max and two average poolings of 3 x 3 with stride 2, 500 hidden units.
    Poolings round up as Caffe's do: 32 -> 16 -> 8 -> 4, and 28 -> 14 -> 7 -> 3 (torch's last window must start inside).
    Xavier weights, zero biases. The local response normalisation of the original is left out.
    """

    def __init__(self, num_dims: int, num_outputs: int) -> None:
        super().__init__()
        self._shape = picture_shape(num_dims)
        self.convolutions = nn.Sequential(
            nn.Conv2d(self._shape[0], 32, 5, padding=2),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.ReLU(),
            nn.Conv2d(32, 32, 5, padding=2),
            nn.AvgPool2d(3, 2, ceil_mode=True),
            nn.ReLU(),
            nn.Conv2d(32, 64, 5, padding=2),
            nn.ReLU(),
            nn.AvgPool2d(3, 2, ceil_mode=True),
            nn.Flatten(),
        )
        with torch.no_grad():
            width = self.convolutions(torch.zeros(1, *self._shape[:1], self._shape[1], self._shape[1])).shape[1]
        self.hidden = nn.Sequential(nn.Linear(width, 500), nn.ReLU())
        self.output = nn.Linear(500, num_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.hidden(self.convolutions(to_pictures(rows, self._shape)))
        outputs: torch.Tensor = self.output(hidden)
        return outputs
