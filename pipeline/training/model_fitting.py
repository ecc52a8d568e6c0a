"""Fit a hashing model on a seeded sample of a source. Runs inside the trainer actor, or by a plain call."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.decoders.image_decoder import DecodeLimits
from operators.features.feature_extractor import Json
from operators.hashers.hasher_registry import create_hasher
from operators.metrics.code_health import code_health
from operators.models.hashing_model import HashingModel
from pipeline.model_store.feature_opening import open_features
from pipeline.sources.item_sample import sample_items
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.sample_features import SampledFeatures, sample_features


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What to fit and on what. `sample_items` pictures are drawn from the source by `seed`."""

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


def fit_model(request: FitRequest) -> tuple[HashingModel, dict[str, Json]]:
    """The fitted model and its lineage: what it was fitted on, how, for how long, and the health of the sample's codes.

    The same request on the same pictures gives the same model. Raises what the source raises, `InvalidSetting` for a
    method, feature or setting that does not exist or does not fit the sample, `EmptySource` when nothing decodes.
    """
    extractor = open_features(request.features, request.feature_settings)
    hasher = create_hasher(request.method, num_bits=request.num_bits, seed=request.seed, **request.hasher_settings)
    items = sample_items(
        open_source(request.source),
        num_items=request.sample_items,
        seed=request.seed,
        max_bytes=request.limits.max_bytes,
    )
    sample = sample_features(items, extractor, limits=request.limits, num_threads=request.num_threads)
    started = time.perf_counter()
    hasher.fit(sample.features, _class_numbers(sample.labels))
    fit_seconds = time.perf_counter() - started
    model = HashingModel(extractor, hasher)
    return model, _lineage(request, sample, model, fit_seconds)


def _class_numbers(labels: tuple[str | None, ...]) -> NDArray[np.int64] | None:
    """0, 1, … by sorted class name; None unless every item has a label."""
    if any(label is None for label in labels):
        return None
    return np.unique(np.array(labels, dtype=str), return_inverse=True)[1].astype(np.int64)


def _lineage(request: FitRequest, sample: SampledFeatures, model: HashingModel, fit_seconds: float) -> dict[str, Json]:
    health = code_health(model.hasher.encode(sample.features))
    return {
        "source": request.source.uri,
        "seed": request.seed,
        "num_sampled": len(sample.labels),
        "num_skipped": sample.num_skipped,
        "data_sha256": sample.data_sha256,
        "fit_seconds": fit_seconds,
        "code_health": asdict(health),
        "bitquarry_version": importlib.metadata.version("bitquarry"),
    }
