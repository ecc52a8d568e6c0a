"""Random views of pictures for contrastive learning: crops, mirrored, brighter or darker, with other contrast."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from operators.networks.picture_rows import picture_shape, to_pictures, to_rows


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """`min_area`: the smallest share of a picture that a crop keeps. `jitter`: largest relative change of brightness
    and of contrast, and for colour the chance (halved) of a view in gray."""

    min_area: float = 0.5
    jitter: float = 0.4


def random_views(rows: torch.Tensor, settings: ViewSettings, generator: torch.Generator) -> torch.Tensor:
    """One view per picture; `rows` float `(batch, num_dims)` in [0, 1], as the features `pixels` give them.

    A crop of random size and place is scaled back to the whole square, mirrored with a chance of a half. `generator`
    draws on the CPU, so that every device sees the same numbers. Raises `InvalidSetting` for rows that are no pictures.
    """
    shape = picture_shape(rows.shape[1])
    pictures = to_pictures(rows, shape)
    count = len(pictures)
    draws = torch.rand(count, 6, generator=generator).to(rows.device)
    side = (settings.min_area + (1 - settings.min_area) * draws[:, 0]).sqrt()
    room = 1 - side
    mirrored = torch.where(draws[:, 1] < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(side)
    affine = torch.stack(
        [
            torch.stack([side * mirrored, zero, room * (2 * draws[:, 2] - 1)], dim=1),
            torch.stack([zero, side, room * (2 * draws[:, 3] - 1)], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(affine, list(pictures.shape), align_corners=False)
    views = functional.grid_sample(pictures, grid, align_corners=False)
    brightness = 1 + settings.jitter * (2 * draws[:, 4, None, None, None] - 1)
    contrast = 1 + settings.jitter * (2 * draws[:, 5, None, None, None] - 1)
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    views = ((views - mean) * contrast + mean) * brightness
    if shape[0] == 3:
        in_gray = torch.rand(count, generator=generator).to(rows.device) < settings.jitter / 2
        views = torch.where(in_gray[:, None, None, None], views.mean(dim=1, keepdim=True), views)
    return to_rows(views.clamp(0, 1))
