"""Feature rows that are pictures: from `(batch, num_dims)` back to `(batch, channels, side, side)`."""

from __future__ import annotations

import math

import torch

from operators.errors import InvalidSetting


def picture_shape(num_dims: int) -> tuple[int, int]:
    """(channels, side) of the rows that the features `pixels` give: 3 channels, or 1 with `gray`.

    Raises `InvalidSetting` when `num_dims` is neither `3 * side**2` nor `side**2`.
    """
    for channels in (3, 1):
        side = math.isqrt(num_dims // channels)
        if channels * side * side == num_dims:
            return channels, side
    raise InvalidSetting(
        "network",
        f"{num_dims} feature dimensions",
        "rows that are square pictures; use --features pixels, or network=mlp",
    )


def to_pictures(rows: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Rows in row, column, channel order to float `(batch, channels, side, side)`, channels last in memory."""
    channels, side = shape
    return rows.reshape(-1, side, side, channels).permute(0, 3, 1, 2)


def to_rows(pictures: torch.Tensor) -> torch.Tensor:
    """The inverse of `to_pictures`."""
    return pictures.permute(0, 2, 3, 1).reshape(len(pictures), -1)
