"""Fit a hashing model on a seeded sample of a source. Runs inside the trainer actor, or by a plain call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from operators.features.feature_extractor import FeatureExtractor, Json
from operators.models.hashing_model import HashingModel
from pipeline.model_store.feature_opening import open_features
from pipeline.model_store.model_store import ModelStore
from pipeline.model_store.stored_model import StoredModel
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.feature_cache import FeatureCache
from pipeline.training.fit_request import FitRequest
from pipeline.training.hasher_training import HasherTraining, ModelTarget, TrainingPlace
from pipeline.training.sample_features import SampledFeatures
from pipeline.training.sample_reading import read_sample
from pipeline.training.training_note import TrainingNote

if TYPE_CHECKING:  # torch takes seconds to import, and methods that learn in one go do without
    from operators.training.workers import Workers


def fit_model(request: FitRequest) -> tuple[HashingModel, dict[str, Json]]:
    """The fitted model and its lineage: what it was fitted on, how, for how long, and the health of the sample's codes.
    Nothing is written: no checkpoint, no cached features.

    The same request on the same pictures gives the same model. Raises what the source raises, `InvalidSetting` for a
    method, feature or setting that does not exist or does not fit the sample, `EmptySource` when nothing decodes,
    `GateFailed` for codes that tell nothing apart.
    """
    extractor = open_features(request.features, request.feature_settings)
    training = HasherTraining(request, read_sample(request, extractor), extractor, TrainingPlace())
    for _ in training.epochs():
        pass
    health = training.check()
    return HashingModel(extractor, training.hasher), training.lineage(health)


def read_request_sample(request: FitRequest, target: ModelTarget, extractor: FeatureExtractor) -> SampledFeatures:
    """The sample of a request, by way of the catalog's feature cache where the request says so."""
    cache = FeatureCache(target.catalog, target.store) if request.cache_features else None
    return read_sample(request, extractor, cache)


def train_and_store(
    request: FitRequest,
    sample: SampledFeatures,
    extractor: FeatureExtractor,
    target: ModelTarget,
    workers: Workers | None = None,
) -> Iterator[EpochFigures | TrainingNote | StoredModel]:
    """Fit with checkpoints, check the codes, store the next version of the model, remove the checkpoints: notes and
    the figures of every epoch, then the stored model. Only the first of several workers yields and stores anything.

    Raises what `HasherTraining` and `ModelStore.save` raise. After `GateFailed` nothing is stored, and the checkpoint
    is kept: the same command with a looser gate has nothing left to train.
    """
    training = HasherTraining(request, sample, extractor, TrainingPlace(workers=workers, target=target))
    yield from training.epochs()
    if workers is not None and workers.rank > 0:
        return
    lineage = training.lineage(training.check())
    model = HashingModel(extractor, training.hasher)
    stored = ModelStore(target.catalog, target.store).save(target.name, model, lineage)
    training.forget_checkpoints()
    yield stored
