"""What workers that train together agree on between epochs: the first one decides."""

from __future__ import annotations

import numpy as np
import torch

from operators.training.training_run import TrainingRun
from operators.training.workers import Workers


def agreed_number(workers: Workers, number: int) -> int:
    """The first worker's number, in every worker."""
    if workers.size == 1:
        return number
    shared = torch.tensor([number], dtype=torch.int64, device=workers.device)
    torch.distributed.broadcast(shared, src=0)
    return int(shared.item())


def agree_on_state(workers: Workers, run: TrainingRun) -> None:
    """Every worker goes on from the first one's state.

    Gradients are averaged, so weights are equal already; what a worker draws from its own share of a batch is not
    (running means of batch normalisation, and codes that depend on them). A resumed run, which starts from one state,
    then goes on as an undisturbed one.
    """
    if workers.size == 1:
        return
    state = dict(run.state())
    for name in sorted(state):
        shared = torch.from_numpy(np.array(state[name])).to(workers.device)
        torch.distributed.broadcast(shared, src=0)
        state[name] = shared.cpu().numpy()
    run.load_state(state)
