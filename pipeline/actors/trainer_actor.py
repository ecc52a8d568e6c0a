"""`TrainerActor`: a Ray shell around `fit_model`."""

from __future__ import annotations

import ray

from operators.features.feature_extractor import Json
from pipeline.model_store.model_store import ModelStore
from pipeline.model_store.stored_model import StoredModel
from pipeline.object_store.open_store import open_store
from pipeline.training.model_fitting import FitRequest, fit_model


class TrainerActor:
    """Reads the sample, fits and stores the model where it runs: neither pictures nor weights pass the driver."""

    def train(self, catalog: str, name: str, request: FitRequest) -> StoredModel:
        model, lineage = fit_model(request)
        job: dict[str, Json] = {"method": request.method, "features": request.features}
        return ModelStore(catalog, open_store(catalog)).save(name, model, job | lineage)


RemoteTrainerActor = ray.remote(TrainerActor)
