"""`EpochFigures`: what is known of a training after one epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from operators.features.feature_extractor import Json


@dataclass(frozen=True, kw_only=True)
class EpochFigures:
    """`epoch` counts from 1. `losses` are means over the epoch's batches (with several workers: over the first one's
    shares). `validation` is the value of `validation_metric` ("map_at_10", or "neighbours_at_10" without labels), both
    None without a validation slice. `mean_bit_entropy`, `num_distinct_codes`: of the codes of `num_measured` pictures.
    """

    epoch: int
    num_epochs: int
    losses: Mapping[str, float]
    validation_metric: str | None
    validation: float | None
    mean_bit_entropy: float
    num_distinct_codes: int
    num_measured: int
    seconds: float

    def to_json(self) -> dict[str, Json]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**fields)

    def __str__(self) -> str:
        """For people, in one line."""
        losses = ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items())
        validation = "" if self.validation is None else f", validation {self.validation_metric} {self.validation:.4f}"
        codes = f"bit entropy {self.mean_bit_entropy:.3f}, {self.num_distinct_codes:,} distinct codes"
        of_pictures = f"of {self.num_measured:,}"
        return (
            f"epoch {self.epoch}/{self.num_epochs}: {losses}{validation}, {codes} {of_pictures}, {self.seconds:.1f} s"
        )
