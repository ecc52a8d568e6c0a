"""Steps: NaN is refused before it reaches the weights, and two workers step as one."""

import functools
import json
import operator
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch

from operators.errors import ShapeMismatch, TrainingDiverged
from operators.networks.network_registry import create_network
from operators.training.gradient_step import gradient_step
from operators.training.state_arrays import (
    load_module_arrays,
    load_optimizer_arrays,
    module_arrays,
    optimizer_arrays,
)
from operators.training.workers import ALONE, Workers

_ONE_OF_TWO = """
import sys, json, torch
from operators.training.workers import Workers
from operators.training.gradient_step import gradient_step
rank, size, port = map(int, sys.argv[1:])
if size > 1:
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
torch.manual_seed(0)
module, rows = torch.nn.Linear(3, 2), torch.randn(8, 3)
workers = Workers(rank=rank, size=size)
optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
for _ in range(3):
    gradient_step(module(rows[workers.share(torch.arange(8))]).square().mean(), module, optimizer, workers)
print(json.dumps(module.weight.tolist()))
"""


def _run(rank: int, size: int, port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _ONE_OF_TWO, str(rank), str(size), str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_workers_end_where_one_does() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [_run(0, 1, port), _run(0, 2, port), _run(1, 2, port)]
    weights = [json.loads(process.communicate(timeout=100)[0]) for process in processes]
    assert weights[1] == weights[2]
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5)


def test_shares_of_a_batch_are_disjoint_and_whole() -> None:
    rows = torch.arange(11)
    shares = [Workers(rank=rank, size=3).share(rows).tolist() for rank in range(3)]
    assert sorted(functools.reduce(operator.iadd, shares, [])) == rows.tolist()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_before_the_weights_change(value: float) -> None:
    module = torch.nn.Linear(2, 1)
    before = {name: array.copy() for name, array in module_arrays(module, "m").items()}
    loss = module(torch.ones(1, 2)).sum() * value
    with pytest.raises(TrainingDiverged, match="loss became"):
        gradient_step(loss, module, torch.optim.SGD(module.parameters(), lr=1.0), ALONE)
    for name, array in module_arrays(module, "m").items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_a_run_from_loaded_arrays_goes_on_as_the_first(kind: type[torch.optim.Optimizer]) -> None:
    def steps(module: torch.nn.Module, optimizer: torch.optim.Optimizer, seeds: range) -> None:
        for seed in seeds:
            rows = torch.randn(6, 784, generator=torch.Generator().manual_seed(seed))
            gradient_step(module(rows).square().mean(), module, optimizer, ALONE)

    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        module = create_network("small-cnn", num_dims=784, num_outputs=3, seed=1)
        if kind is torch.optim.SGD:
            return module, torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
        return module, torch.optim.AdamW(module.parameters(), lr=0.01)

    whole, first, second = fresh(), fresh(), fresh()
    steps(*whole, range(4))
    steps(*first, range(2))
    arrays = {**module_arrays(first[0], "module"), **optimizer_arrays(first[1], "optimizer")}
    load_module_arrays(second[0], "module", arrays)
    load_optimizer_arrays(second[1], "optimizer", arrays)
    steps(*second, range(2, 4))
    for name, array in module_arrays(whole[0], "m").items():
        np.testing.assert_array_equal(module_arrays(second[0], "m")[name], array)


def test_arrays_of_another_module_are_refused() -> None:
    arrays = module_arrays(torch.nn.Linear(3, 2), "m")
    with pytest.raises(ShapeMismatch, match=r"m.weight: got \(2, 3\), expected \(2, 4\)"):
        load_module_arrays(torch.nn.Linear(4, 2), "m", arrays)
    with pytest.raises(ShapeMismatch, match=r"m.bias: got \(2,\), expected no such array"):
        load_module_arrays(torch.nn.Linear(3, 2, bias=False), "m", arrays)
