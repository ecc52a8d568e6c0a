"""Small random changes of pictures that keep what they show."""

from __future__ import annotations

import torch

from operators.networks.picture_rows import picture_shape, to_pictures, to_rows


def shifted_and_flipped(rows: torch.Tensor, *, max_shift: int, generator: torch.Generator) -> torch.Tensor:
    """Each picture moved by up to `max_shift` pixels in both directions (the border filled with zeros) and mirrored
    left to right with a chance of a half. `rows` float `(batch, num_dims)`, as the features `pixels` give them.

    Raises `InvalidSetting` for rows that are no square pictures.
    """
    shape = picture_shape(rows.shape[1])
    side = shape[1]
    pictures = to_pictures(rows, shape)
    count = len(pictures)
    # Drawn on the CPU, so that every device sees the same numbers.
    shifts = torch.randint(-max_shift, max_shift + 1, (2, count), generator=generator).to(rows.device)
    mirrored = (torch.rand(count, generator=generator) < 0.5).to(rows.device)
    places = torch.arange(side, device=rows.device)
    own_rows = places[None, :] + shifts[0, :, None]
    columns = torch.where(mirrored[:, None], side - 1 - places, places) + shifts[1, :, None]
    inside = ((own_rows >= 0) & (own_rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    items = torch.arange(count, device=rows.device)[:, None, None]
    near_rows, near_columns = own_rows.clamp(0, side - 1)[:, :, None], columns.clamp(0, side - 1)[:, None, :]
    moved = pictures.permute(0, 2, 3, 1)[items, near_rows, near_columns] * inside[..., None]
    return to_rows(moved.permute(0, 3, 1, 2))
