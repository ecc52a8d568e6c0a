"""The train job: one trainer actor fits a model on a sample of a source and stores it."""

from __future__ import annotations

import dataclasses

import ray
from ray.exceptions import RayActorError, RayTaskError

from operators.errors import OperatorError
from operators.hashers.hasher_registry import create_hasher
from pipeline.actors.ray_session import cluster_amount
from pipeline.actors.trainer_actor import RemoteTrainerActor
from pipeline.errors import PipelineError, TaskFailed
from pipeline.model_store.feature_opening import open_features
from pipeline.model_store.stored_model import StoredModel, check_model_name
from pipeline.sources.open_source import open_source
from pipeline.training.model_fitting import FitRequest


def train_model(catalog: str, name: str, request: FitRequest) -> StoredModel:
    """Fit and store the next version of model `name`. Ray must have been joined.

    Raises what `check_training` and `fit_model` raise.
    """
    checked = check_training(name, request)
    num_threads = max(1, int(cluster_amount("CPU")))
    trainer = RemoteTrainerActor.options(num_cpus=1).remote()
    try:
        ref = trainer.train.remote(catalog, name, dataclasses.replace(checked, num_threads=num_threads))
        stored: StoredModel = ray.get(ref)
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, PipelineError | OperatorError):
            raise cause from None
        raise TaskFailed(f"the trainer failed: {str(error).strip().splitlines()[-1]}") from None
    except RayActorError as error:
        raise TaskFailed(f"the trainer died: {str(error).strip().splitlines()[-1]}; run the command again") from None
    finally:
        ray.kill(trainer)
    return stored


def check_training(name: str, request: FitRequest) -> FitRequest:
    """Refuse what can be known to be wrong without Ray and without reading a picture. Returns the request with the
    feature settings in full: what was opened here, down to the digest of a backbone's weights, is what will be fitted.

    Raises `UsageError` for the name, `InvalidSetting` for features and method, and what `open_source` raises.
    """
    check_model_name(name)
    features = open_features(request.features, request.feature_settings)
    create_hasher(request.method, num_bits=request.num_bits, seed=request.seed, **request.hasher_settings)
    open_source(request.source)
    return dataclasses.replace(request, feature_settings={**request.feature_settings, **features.settings()})
