"""One step of gradient descent, alone or with other workers."""

from __future__ import annotations

import torch

from operators.errors import TrainingDiverged
from operators.training.workers import Workers


def gradient_step(
    loss: torch.Tensor, module: torch.nn.Module, optimizer: torch.optim.Optimizer, workers: Workers
) -> float:
    """Back-propagate `loss` (a scalar) through `module`, average over the workers, step. The loss as a number.

    Raises `TrainingDiverged` when the loss is NaN or infinite; the weights are left as they were.
    """
    value = float(loss.detach())
    if not torch.isfinite(loss.detach()):
        raise TrainingDiverged("loss", str(value))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    workers.average_gradients(module)
    optimizer.step()
    return value
