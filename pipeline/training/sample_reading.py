"""The sample of a request: read from the source, or taken from the feature cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

from operators.features.feature_extractor import FeatureExtractor, Json
from pipeline.sources.item_sample import sample_items
from pipeline.sources.open_source import open_source
from pipeline.sources.source import Source
from pipeline.training.feature_cache import FeatureCache
from pipeline.training.fit_request import FitRequest
from pipeline.training.sample_features import SampledFeatures, sample_features

# Part of every identity: raise it when the same settings come to mean other features or another sample.
_SAMPLE_VERSION = 1


def read_sample(request: FitRequest, extractor: FeatureExtractor, cache: FeatureCache | None = None) -> SampledFeatures:
    """The sample's features. With a cache they are looked up there first, and kept there after reading.

    Raises what the source raises, `EmptySource` when nothing decodes, `CorruptFile` for a damaged cache.
    """
    source = open_source(request.source)
    if cache is None:
        return _read(request, source, extractor)
    identity = sample_identity(request, source, extractor)
    digest = digest_of(identity)
    sample = cache.load(digest)
    if sample is None:
        sample = _read(request, source, extractor)
        cache.save(digest, sample, identity)
    return sample


def sample_identity(request: FitRequest, source: Source, extractor: FeatureExtractor) -> dict[str, Json]:
    """All that decides which pictures are drawn and what their features are. Lists the source."""
    listing = hashlib.sha256()
    for task in source.tasks():
        listing.update(task.digest.encode())
    return {
        "version": _SAMPLE_VERSION,
        "source_listing": listing.hexdigest(),
        "sample_items": request.sample_items,
        "seed": request.seed,
        "features": feature_identity(extractor),
        "limits": asdict(request.limits),
    }


def feature_identity(extractor: FeatureExtractor) -> dict[str, Json]:
    """Name and settings, but for where a backbone lies: its weights count by their sha256."""
    settings: dict[str, Json] = {
        name: value for name, value in extractor.settings().items() if name not in extractor.location_settings
    }
    return {"name": extractor.name, "settings": settings}


def digest_of(identity: Mapping[str, Json]) -> str:
    """32 hex digits over canonical JSON."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _read(request: FitRequest, source: Source, extractor: FeatureExtractor) -> SampledFeatures:
    items = sample_items(source, num_items=request.sample_items, seed=request.seed, max_bytes=request.limits.max_bytes)
    return sample_features(items, extractor, limits=request.limits, num_threads=request.num_threads)
