"""How many encoders and decoders start, and what is refused, for clusters of several sizes."""

from __future__ import annotations

import pytest

from pipeline.actors import encoder_placement
from pipeline.actors.encoder_placement import EncoderPlacement, place_encoders
from pipeline.errors import MissingAccelerator, PipelineError, SettingsError
from pipeline.settings import EncodeSettings


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A cluster of `request.param` = (CPUs, GPUs). Ray itself is not asked: a laptop cannot be a GPU cluster."""
    num_cpus, num_gpus = request.param
    monkeypatch.setattr(encoder_placement, "cluster_amount", {"CPU": num_cpus, "GPU": num_gpus}.__getitem__)


@pytest.mark.parametrize(
    ("cluster", "settings", "uses_accelerator", "expected"),
    [
        ((2.0, 0.0), {}, False, ("cpu", 1, 2)),
        ((8.0, 0.0), {}, False, ("cpu", 2, 4)),
        ((16.0, 1.0), {}, False, ("cpu", 4, 4)),
        ((16.0, 1.0), {}, True, ("cuda", 1, 17)),
        ((16.0, 0.0), {}, True, ("cpu", 4, 4)),
        ((32.0, 4.0), {"device": "cuda", "encoder_num_cpus": 1.0, "decoder_num_cpus": 1.0}, True, ("cuda", 4, 7)),
        ((4.0, 0.0), {"num_encoders": 3, "decoders_per_encoder": 1}, False, ("cpu", 3, 1)),
    ],
    indirect=["cluster"],
)
@pytest.mark.usefixtures("cluster")
def test_placement(settings: dict[str, object], uses_accelerator: bool, expected: tuple[str, int, int]) -> None:
    placed = place_encoders(EncodeSettings.model_validate(settings), uses_accelerator=uses_accelerator)
    assert (placed.device, placed.num_encoders, placed.decoders_per_encoder) == expected
    assert isinstance(placed, EncoderPlacement)


@pytest.mark.parametrize(
    ("cluster", "settings", "uses_accelerator", "error", "message"),
    [
        ((8.0, 0.0), {"device": "cuda"}, True, MissingAccelerator, "the cluster has no GPU"),
        ((8.0, 1.0), {"device": "cuda"}, False, SettingsError, "features run on the CPU only"),
        ((8.0, 1.0), {"device": "cuda", "num_encoders": 2}, True, MissingAccelerator, "2 encoders need a GPU each"),
        ((2.0, 0.0), {"num_encoders": 4}, False, SettingsError, "do not fit into 2 CPUs"),
    ],
    indirect=["cluster"],
)
@pytest.mark.usefixtures("cluster")
def test_what_cannot_run_is_refused_before_it_would_wait_for_ever(
    settings: dict[str, object], uses_accelerator: bool, error: type[PipelineError], message: str
) -> None:
    with pytest.raises(error, match=message):
        place_encoders(EncodeSettings.model_validate(settings), uses_accelerator=uses_accelerator)
