"""`TrainerActor`: a Ray shell around reading a sample and training on it, on a GPU where there is use for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ray

from operators.features.feature_extractor import FeatureExtractor
from operators.features.feature_registry import features_use_accelerator
from pipeline.actors.encoder_actor import check_device
from pipeline.model_store.feature_opening import open_features
from pipeline.model_store.stored_model import StoredModel
from pipeline.object_store.open_store import open_store
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.fit_request import FitRequest
from pipeline.training.hasher_training import ModelTarget, learns_by_epochs, new_hasher
from pipeline.training.model_fitting import read_request_sample, train_and_store
from pipeline.training.sample_features import SampledFeatures
from pipeline.training.training_note import TrainingNote


@dataclass(frozen=True, kw_only=True)
class TrainerSpec:
    """All that a trainer needs to build itself on any machine. `num_cpus` threads compute on the CPU."""

    catalog: str
    name: str
    request: FitRequest
    device: str
    num_cpus: int

    def target(self) -> ModelTarget:
        return ModelTarget(catalog=self.catalog, store=open_store(self.catalog), name=self.name)

    def extractor(self) -> FeatureExtractor:
        """The features, on the device if they can use it."""
        device = self.device if features_use_accelerator(self.request.features) else "cpu"
        return open_features(self.request.features, self.request.feature_settings, device=device)


class TrainerActor:
    """Reads the sample, fits and stores the model where it runs: neither pictures nor weights pass the driver."""

    def __init__(self, spec: TrainerSpec) -> None:
        check_device(spec.device, setting="train.device")
        self._spec = spec

    def sample(self) -> tuple[int, SampledFeatures]:
        """The features, for workers that train elsewhere; and how many there are, for who only waits for them."""
        sample = read_request_sample(self._spec.request, self._spec.target(), self._spec.extractor())
        return len(sample.keys), sample

    def train(self) -> Iterator[EpochFigures | TrainingNote | StoredModel]:
        """Notes and the figures of every epoch, then the stored model."""
        request, target, extractor = self._spec.request, self._spec.target(), self._spec.extractor()
        sample = read_request_sample(request, target, extractor)
        workers = None
        if learns_by_epochs(new_hasher(request)):
            import torch  # slow to import, and not needed by methods that learn in one go

            from operators.training.workers import Workers

            torch.set_num_threads(self._spec.num_cpus)  # Ray gives every process one thread
            workers = Workers(device=self._spec.device)
        yield from train_and_store(request, sample, extractor, target, workers)


# Ray's decorator hides a class's types; the plain class stays callable in tests.
RemoteTrainerActor = ray.remote(TrainerActor)
