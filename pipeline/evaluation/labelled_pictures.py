"""`LabelledPictures`: one side of a protocol, its queries or its database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LabelledPictures:
    """Pictures with labels, read one by one when needed.

    `keys` are unique names for people; `labels` holds one or more labels per picture; `read(row)` gives the bytes of a
    picture in a format that the decoders know. Raises `ValueError` when the counts differ.
    """

    keys: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    read: Callable[[int], bytes]

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.labels):
            raise ValueError(
                f"{len(self.keys)} keys and {len(self.labels)} labels; there must be one of each per picture"
            )

    def __len__(self) -> int:
        return len(self.keys)

    def select(self, rows: NDArray[np.int64]) -> LabelledPictures:
        """The pictures at `rows`, in that order."""
        positions = rows.tolist()
        return LabelledPictures(
            keys=tuple(self.keys[row] for row in positions),
            labels=tuple(self.labels[row] for row in positions),
            read=lambda row: self.read(positions[row]),
        )
