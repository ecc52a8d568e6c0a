"""Where a training runs, and what is refused, for clusters of several sizes."""

from __future__ import annotations

import pytest

from pipeline.actors import trainer_placement
from pipeline.actors.trainer_placement import TrainerPlacement, place_trainer
from pipeline.errors import MissingAccelerator, PipelineError, SettingsError
from pipeline.settings import TrainSettings


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Machines as (CPUs, GPUs). Ray itself is not asked: a laptop cannot be a GPU cluster."""
    machines = request.param
    totals = {"CPU": float(sum(m[0] for m in machines)), "GPU": float(sum(m[1] for m in machines))}
    nodes = [{"Alive": True, "Resources": {"CPU": float(cpus), "GPU": float(gpus)}} for cpus, gpus in machines]
    nodes.append({"Alive": False, "Resources": {"CPU": 999.0}})
    monkeypatch.setattr(trainer_placement, "cluster_amount", totals.__getitem__)
    monkeypatch.setattr("ray.nodes", lambda: nodes)


def _place(settings: dict[str, object], *, gpu_use: bool, by_epochs: bool) -> TrainerPlacement:
    chosen = TrainSettings.model_validate(settings)
    return place_trainer(chosen, uses_accelerator=gpu_use, learns_by_epochs=by_epochs)


@pytest.mark.parametrize(
    ("cluster", "settings", "gpu_use", "by_epochs", "expected"),
    [
        ([(2, 0)], {}, True, True, ("cpu", 1, 2)),
        ([(2, 0)], {}, False, False, ("cpu", 1, 1)),
        ([(8, 1), (4, 0)], {}, True, True, ("cuda", 1, 8)),
        ([(8, 1), (4, 0)], {}, False, False, ("cpu", 1, 1)),
        ([(8, 1)], {"device": "cpu"}, True, True, ("cpu", 1, 8)),
        ([(8, 1)], {"num_workers": 2}, True, True, ("cpu", 2, 4)),
        ([(8, 2), (8, 2)], {"num_workers": 4, "device": "cuda"}, True, True, ("cuda", 4, 2)),
        ([(2, 0)], {"num_workers": 2, "cpus_per_worker": 1}, True, True, ("cpu", 2, 1)),
    ],
    indirect=["cluster"],
)
@pytest.mark.usefixtures("cluster")
def test_placement(settings: dict[str, object], gpu_use: bool, by_epochs: bool, expected: tuple[str, int, int]) -> None:
    placed = _place(settings, gpu_use=gpu_use, by_epochs=by_epochs)
    assert (placed.device, placed.num_workers, placed.num_cpus) == expected


@pytest.mark.parametrize(
    ("cluster", "settings", "gpu_use", "by_epochs", "error", "message"),
    [
        ([(8, 0)], {"device": "cuda"}, True, True, MissingAccelerator, "the cluster has 0 GPUs"),
        ([(8, 1)], {"device": "cuda", "num_workers": 2}, True, True, MissingAccelerator, "2 workers.*has 1 GPUs"),
        ([(8, 1)], {"device": "cuda"}, False, False, SettingsError, "neither these features nor this method"),
        ([(8, 0)], {"num_workers": 2}, False, False, SettingsError, "learns in one go; give one worker"),
        ([(2, 0)], {"num_workers": 3}, True, True, SettingsError, "3 with 1 CPUs each do not fit into 2 CPUs"),
        ([(2, 0), (2, 0)], {"cpus_per_worker": 3}, True, True, SettingsError, "2 on the largest machine"),
    ],
    indirect=["cluster"],
)
@pytest.mark.usefixtures("cluster")
def test_what_cannot_run_is_refused_before_it_would_wait_for_ever(
    settings: dict[str, object], gpu_use: bool, by_epochs: bool, error: type[PipelineError], message: str
) -> None:
    with pytest.raises(error, match=message):
        _place(settings, gpu_use=gpu_use, by_epochs=by_epochs)
