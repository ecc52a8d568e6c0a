"""Run a trained network over rows so that a row's output depends on nothing but the row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

_BLOCK_ROWS = 64


def forward_rows(module: torch.nn.Module, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 `(num_items, num_dims)` -> float32 `(num_items, num_outputs)`, on the module's device.

    Kernels are chosen by batch size and split their sums by threads, and either changes last bits. So rows go through
    in blocks of one fixed size, the last filled up with zeros, and on the CPU on one thread.

    A module that is being trained is put back into training afterwards. One that is not is left alone, so that several
    threads may run it at once.
    """
    device = next(module.parameters()).device
    was_training = module.training
    if was_training:
        module.eval()
    parts = []
    with torch.inference_mode(), _one_thread(device):
        for start in range(0, max(1, len(rows)), _BLOCK_ROWS):
            block = np.zeros((_BLOCK_ROWS, rows.shape[1]), np.float32)
            given = rows[start : start + _BLOCK_ROWS]
            block[: len(given)] = given
            output = module(torch.from_numpy(block).to(device))
            parts.append(output.float().cpu().numpy()[: len(given)])
    if was_training:
        module.train()
    return np.concatenate(parts)


@contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    if device.type != "cpu":
        yield
        return
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
