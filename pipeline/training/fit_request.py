"""`FitRequest`: what to fit, on what, and when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from operators.decoders.image_decoder import DecodeLimits
from operators.features.feature_extractor import Json
from pipeline.settings import TrainSettings
from pipeline.sources.source_settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """`sample_items` pictures are drawn from the source by `seed`; `num_threads` decode them. `cache_features`: keep
    the sample's features in the catalog, or use those that are there."""

    method: str
    num_bits: int
    features: str
    source: SourceSettings
    feature_settings: Mapping[str, Json] = field(default_factory=dict)
    hasher_settings: Mapping[str, Json] = field(default_factory=dict)
    sample_items: int = 20_000
    seed: int = 0
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    num_threads: int = 1
    cache_features: bool = False
    settings: TrainSettings = field(default_factory=TrainSettings)
