"""The train job: a trainer actor, or several workers, fit a model on a sample of a source and store it."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.queue import Empty, Queue

from operators.errors import InvalidSetting, OperatorError
from operators.features.feature_registry import features_use_accelerator
from operators.hashers.hasher import Hasher
from pipeline.actors.trainer_actor import RemoteTrainerActor, TrainerSpec
from pipeline.actors.trainer_placement import TrainerPlacement, largest_machine, place_trainer
from pipeline.errors import MissingExtra, PipelineError, TaskFailed
from pipeline.interrupts import raise_if_interrupted
from pipeline.model_store.feature_opening import open_features
from pipeline.model_store.stored_model import StoredModel, check_model_name
from pipeline.records import FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.open_source import open_source
from pipeline.sources.source import Source
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.fit_request import FitRequest
from pipeline.training.hasher_training import labels_expected, learns_by_epochs, new_hasher
from pipeline.training.training_note import TrainingNote

_LOOK_EVERY_SECONDS = 1.0
_News = EpochFigures | TrainingNote | StoredModel


def train_model(
    catalog: str,
    name: str,
    request: FitRequest,
    report: Callable[[EpochFigures | TrainingNote], None] = lambda news: None,
) -> StoredModel:
    """Fit and store the next version of model `name`; `report` is given notes, and the figures of every epoch. Ray
    must have been joined. A training that was killed goes on from its last checkpoint when it is started again.

    Raises what `check_training`, `place_trainer` and `train_and_store` raise, and `TaskFailed` when a trainer dies.
    """
    checked = check_training(name, request)
    by_epochs = learns_by_epochs(new_hasher(checked))
    placement = place_trainer(
        checked.settings,
        uses_accelerator=by_epochs or features_use_accelerator(checked.features),
        learns_by_epochs=by_epochs,
    )
    spec = TrainerSpec(
        catalog=catalog,
        name=name,
        request=dataclasses.replace(checked, num_threads=largest_machine()),
        device=placement.device,
        num_cpus=placement.num_cpus,
    )
    stored: StoredModel | None = None
    for news in _train_alone(spec, placement) if placement.num_workers == 1 else _train_together(spec, placement):
        if isinstance(news, StoredModel):
            stored = news
        else:
            report(news)
    if stored is None:
        raise TaskFailed("the trainer ended without a model; run the command again")
    return stored


def check_training(name: str, request: FitRequest) -> FitRequest:
    """Refuse what can be known to be wrong without Ray and without decoding a picture. Returns the request with the
    feature settings in full: what was opened here, down to the digest of a backbone's weights, is what will be fitted.

    Raises `UsageError` for the name, `InvalidSetting` for features and method and for a method that needs labels when
    the source's first picture has none, `MissingExtra`, and what `open_source` raises.
    """
    check_model_name(name)
    features = open_features(request.features, request.feature_settings)
    hasher = new_hasher(request)
    if request.settings.num_workers > 1 and importlib.util.find_spec("pandas") is None:
        raise MissingExtra("pandas, which Ray Train needs,", "train")
    source = open_source(request.source)
    if hasher.needs_labels:
        _require_first_label(hasher, source, request)
    return dataclasses.replace(request, feature_settings={**request.feature_settings, **features.settings()})


def _require_first_label(hasher: Hasher, source: Source, request: FitRequest) -> None:
    """The first picture tells for nearly all sources; that every sampled one has a label is checked in training."""
    task = next(iter(source.tasks()))
    first = next(iter(read_items(task, max_bytes=request.limits.max_bytes)), None)
    if isinstance(first, FetchedItem) and first.label is None:
        raise InvalidSetting(f"{hasher.method}.labels", f"none for {first.key} of {source.uri}", labels_expected())


def _train_alone(spec: TrainerSpec, placement: TrainerPlacement) -> Iterator[_News]:
    trainer = _new_trainer(spec, placement)
    try:
        for reference in trainer.train.options(num_returns="streaming").remote():
            yield _result_of(reference)
            raise_if_interrupted()
    finally:
        ray.kill(trainer)


def _train_together(spec: TrainerSpec, placement: TrainerPlacement) -> Iterator[_News]:
    from pipeline.actors.training_crew import RemoteTrainingCrew

    sample = _sample(spec, placement)
    news = Queue(actor_options={"num_cpus": 0})
    crew = RemoteTrainingCrew.options(num_cpus=0).remote()
    try:
        finished = crew.train.remote(spec, placement.num_workers, [sample], news)
        yield from _until_finished(news, finished)
        _result_of(finished)
    finally:
        ray.kill(crew)
        news.shutdown(force=True)


def _sample(spec: TrainerSpec, placement: TrainerPlacement) -> ray.ObjectRef:
    """The features, made by a trainer that is gone before the workers need its place."""
    trainer = _new_trainer(spec, placement)
    try:
        count, sample = trainer.sample.options(num_returns=2).remote()
        _result_of(count)
        return sample
    finally:
        ray.kill(trainer)


def _until_finished(news: Queue, finished: ray.ObjectRef) -> Iterator[_News]:
    """What the crew says, until it has finished and said everything. Raises an error that it says, but only in the end:
    Ray Train has to give the workers' places back."""
    refusal: PipelineError | OperatorError | None = None
    while True:
        is_finished = bool(ray.wait([finished], timeout=0)[0])
        try:
            item = news.get(timeout=_LOOK_EVERY_SECONDS)
        except Empty:
            if not is_finished:
                continue
            if refusal is not None:
                raise refusal from None
            return
        if isinstance(item, PipelineError | OperatorError):
            refusal = refusal or item
        else:
            yield item


def _new_trainer(spec: TrainerSpec, placement: TrainerPlacement) -> ray.actor.ActorHandle:
    num_gpus = 1 if placement.device == "cuda" else 0
    return RemoteTrainerActor.options(num_cpus=placement.num_cpus, num_gpus=num_gpus).remote(spec)


def _result_of(reference: ray.ObjectRef) -> Any:
    """What a remote call gave; its own error where it has one of ours."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, PipelineError | OperatorError):
            raise cause from None
        raise TaskFailed(f"the trainer failed: {str(error).strip().splitlines()[-1]}") from None
    except RayActorError as error:
        raise TaskFailed(f"the trainer died: {str(error).strip().splitlines()[-1]}; run the command again") from None
