"""A small residual network (He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2)."""

from __future__ import annotations

import torch
from torch import nn

from operators.networks.picture_rows import picture_shape, to_pictures


class ResidualCnn(nn.Module):
    """float `(batch, num_dims)` picture rows of 28 to 64 pixels -> `(batch, num_outputs)`, linear.

    A 3 x 3 convolution, then three stages of two residual blocks with `width`, 2 `width` and 4 `width` channels, the
    second and third starting with stride 2; mean over all positions.
    """

    def __init__(self, num_dims: int, num_outputs: int, *, width: int = 16) -> None:
        super().__init__()
        self._shape = picture_shape(num_dims)
        self.stem = nn.Sequential(_convolution(self._shape[0], width, 1), nn.BatchNorm2d(width), nn.ReLU())
        stages: list[nn.Module] = []
        for stage in range(3):
            inputs, outputs = width * 2 ** max(0, stage - 1), width * 2**stage
            stages += [_ResidualBlock(inputs, outputs, 1 if stage == 0 else 2), _ResidualBlock(outputs, outputs, 1)]
        self.stages = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.output = nn.Linear(4 * width, num_outputs)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.output(self.stages(self.stem(to_pictures(rows, self._shape))))
        return outputs


class _ResidualBlock(nn.Module):
    def __init__(self, num_inputs: int, num_outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(num_inputs, num_outputs, stride),
            nn.BatchNorm2d(num_outputs),
            nn.ReLU(),
            _convolution(num_outputs, num_outputs, 1),
            nn.BatchNorm2d(num_outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or num_inputs != num_outputs:
            one_by_one = nn.Conv2d(num_inputs, num_outputs, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(one_by_one, nn.BatchNorm2d(num_outputs))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layers(pictures) + self.shortcut(pictures))


def _convolution(num_inputs: int, num_outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(num_inputs, num_outputs, 3, stride=stride, padding=1, bias=False)
