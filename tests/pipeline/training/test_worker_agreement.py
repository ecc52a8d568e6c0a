"""Two processes that train one model have equal weights after every step, and one state after every epoch."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from operators.training.workers import ALONE
from pipeline.training.worker_agreement import agree_on_state, agreed_number
from tests.command_line import environment
from tests.pipeline.training.training_examples import TinyRun, tiny_hasher

_WORKER = """
import hashlib, json, sys
import numpy as np, torch
from operators.hashers.hasher_registry import create_hasher
from operators.training.workers import Workers
from pipeline.training.worker_agreement import agree_on_state, agreed_number

rank, place = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo", init_method="file://" + place, rank=rank, world_size=2)
rng = np.random.default_rng(0)
features = rng.random((300, 12)).astype(np.float32)
labels = (features[:, 0] * 3).astype(np.int64)
hasher = create_hasher("orthohash", num_bits=16, seed=0, network="mlp", num_epochs=2, batch_size=50)
workers = Workers(rank=rank, size=2)
run = hasher.start(features, labels, workers=workers)

def digest(counted):
    state = run.state()
    parts = [state[name].tobytes() for name in sorted(state) if counted(name)]
    return hashlib.sha256(b"".join(parts)).hexdigest()

said = {"number": agreed_number(workers, 7 + rank)}
run.run_epoch(0)
said["weights"] = digest(lambda name: "weight" in name or "bias" in name)
said["before"] = digest(lambda name: True)
agree_on_state(workers, run)
said["after"] = digest(lambda name: True)
run.run_epoch(1)
said["weights later"] = digest(lambda name: "weight" in name or "bias" in name)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What each of two workers found."""
    place = tmp_path_factory.mktemp("group") / "rendezvous"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(rank), str(place)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    finished = [worker.communicate(timeout=100) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], finished
    return [json.loads(output.splitlines()[-1]) for output, _ in finished]


def test_the_first_one_decides(said: list[dict[str, object]]) -> None:
    assert [worker["number"] for worker in said] == [7, 7]


def test_averaged_gradients_keep_weights_equal(said: list[dict[str, object]]) -> None:
    assert said[0]["weights"] == said[1]["weights"]
    assert said[0]["weights later"] == said[1]["weights later"]
    assert said[0]["weights"] != said[0]["weights later"]


def test_all_go_on_from_the_first_ones_state(said: list[dict[str, object]]) -> None:
    """Running means of batch normalisation are each worker's own until then."""
    assert said[0]["before"] != said[1]["before"]
    assert said[1]["after"] == said[0]["after"] == said[0]["before"]


def test_alone_there_is_nothing_to_agree_on() -> None:
    run = TinyRun(tiny_hasher(), np.zeros((3, 8), np.float32))
    run.run_epoch(0)
    before = run.state()["walk"]
    agree_on_state(ALONE, run)
    np.testing.assert_array_equal(run.state()["walk"], before)
    assert agreed_number(ALONE, 3) == 3
    assert not torch.distributed.is_initialized()
