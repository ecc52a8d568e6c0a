"""`DecodedBatch`: what a decoder hands to an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch
from pipeline.code_shards.encoded_row import EncodedRow
from pipeline.records import FailedItem


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodedBatch:
    """Up to a batch of consecutive items of one task.

    `rows[i]` describes the picture `pixels[i]`, uint8 `(len(rows), side, side, 3)`; `failed` holds the items that gave
    none; together they are the batch's items. `num_bytes` were read for it; `stage_seconds` went into fetching and
    decoding.
    """

    rows: tuple[EncodedRow, ...]
    pixels: NDArray[np.uint8]
    failed: tuple[FailedItem, ...]
    num_bytes: int
    stage_seconds: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or len(self.pixels) != len(self.rows):
            raise ShapeMismatch("pixels", str(self.pixels.shape), f"({len(self.rows)}, side, side, 3)")

    @property
    def num_items(self) -> int:
        return len(self.rows) + len(self.failed)
