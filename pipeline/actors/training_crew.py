"""`TrainingCrew`: several workers that train one model together, started by Ray Train.

Importing Ray Train imports `ray.data`, which stays out of processes that read untrusted files. So the crew has
processes of its own, and they are given features, never pictures.
"""

from __future__ import annotations

import tempfile
from typing import Any

import ray
from ray.util.queue import Queue

from operators.errors import OperatorError
from pipeline.actors.encoder_actor import check_device
from pipeline.actors.trainer_actor import TrainerSpec
from pipeline.errors import PipelineError
from pipeline.training.model_fitting import train_and_store


class TrainingCrew:
    """Starts the workers, and ends when they have. What the first one has to say (figures, the stored model), and what
    any of them refuses, goes into the queue."""

    def train(self, spec: TrainerSpec, num_workers: int, sample: list[Any], news: Queue) -> None:
        """`sample` holds the reference of `SampledFeatures`. Raises Ray's own errors; those of a worker are also in
        `news`."""
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        on_gpu = spec.device == "cuda"
        with tempfile.TemporaryDirectory() as folder:  # Ray Train wants one; checkpoints go to the catalog
            TorchTrainer(
                _work,
                train_loop_config={"spec": spec, "sample": sample, "news": news},
                torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
                scaling_config=ScalingConfig(
                    num_workers=num_workers,
                    use_gpu=on_gpu,
                    resources_per_worker={"CPU": spec.num_cpus, **({"GPU": 1} if on_gpu else {})},
                ),
                run_config=RunConfig(name="train", storage_path=folder),
            ).fit()


def _work(config: dict[str, Any]) -> None:
    """One worker of the crew."""
    import ray.train
    import torch
    from ray.train.torch import get_device

    from operators.training.workers import Workers

    spec: TrainerSpec = config["spec"]
    context = ray.train.get_context()
    device = str(get_device()) if spec.device == "cuda" else "cpu"
    workers = Workers(rank=context.get_world_rank(), size=context.get_world_size(), device=device)
    torch.set_num_threads(spec.num_cpus)  # Ray gives every process one thread
    try:
        check_device(spec.device, setting="train.device")
        sample = ray.get(config["sample"][0])
        for news in train_and_store(spec.request, sample, spec.extractor(), spec.target(), workers):
            config["news"].put(news)
    except (PipelineError, OperatorError) as error:
        config["news"].put(error)
        raise


RemoteTrainingCrew = ray.remote(TrainingCrew)
