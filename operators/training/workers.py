"""`Workers`: the processes that train one model together, each on its share of every batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class Workers:
    """This process is number `rank` of `size`; `device` is where it computes ("cpu", "cuda:0").

    With several, `torch.distributed` must have been set up by the caller. All start from equal weights and seeds, draw
    the same batches and take every `size`-th row of them, so that averaged gradients keep their weights equal.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    def share(self, rows: torch.Tensor) -> torch.Tensor:
        """This worker's part of the row numbers of one batch."""
        return rows[self.rank :: self.size]

    def average_gradients(self, module: torch.nn.Module) -> None:
        """Replace every gradient by its mean over the workers. Nothing happens for a single one."""
        if self.size == 1:
            return
        for parameter in module.parameters():
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad, op=torch.distributed.ReduceOp.SUM)
                parameter.grad /= self.size


ALONE = Workers()
