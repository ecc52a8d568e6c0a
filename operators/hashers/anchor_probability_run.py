"""`AnchorProbabilityRun`: APHash's codes of anchors and items, learned in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from operators.errors import TrainingDiverged
from operators.training.learning_rate import cosine_rate, set_learning_rate
from operators.training.neighborhood_divergence import (
    NeighborhoodDivergence,
    binary_penalty,
    binary_penalty_gradient,
)
from operators.training.state_arrays import (
    load_module_arrays,
    load_optimizer_arrays,
    module_arrays,
    optimizer_arrays,
)
from operators.training.training_run import TrainingRun

Signs = NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class AnchorProbabilityPlan:
    """`binary_weight` is lambda; `rate` the step of an entry where the learning rate is highest."""

    num_epochs: int
    rate: float
    binary_weight: float
    device: str


class RelaxedCodes(torch.nn.Module):
    """H^ `(num_anchors, num_bits)`, of the items `anchor_items`, and B^ `(num_items, num_bits)`, from float32 codes of
    all items."""

    def __init__(self, first_codes: NDArray[np.float32], anchor_items: NDArray[np.int64]) -> None:
        super().__init__()
        self.anchors = torch.nn.Parameter(torch.from_numpy(first_codes[anchor_items]))
        self.items = torch.nn.Parameter(torch.from_numpy(first_codes.copy()))


class AnchorProbabilityRun(TrainingRun):
    """One epoch is a step of H^ by its full gradient, then one of B^. `take` is given sign(H^) and sign(B^), int8.

    Both steps use all items, so every one of several workers does the same.
    """

    def __init__(
        self,
        members: NDArray[np.bool_],
        codes: RelaxedCodes,
        plan: AnchorProbabilityPlan,
        take: Callable[[Signs, Signs], None],
    ) -> None:
        self._plan, self._take = plan, take
        self._divergence = NeighborhoodDivergence(torch.from_numpy(members).to(plan.device))
        self._codes = codes.to(plan.device)
        # Gradients of an item shrink with the number of items: a usual epsilon would hold Adam back.
        self._optimizers = tuple(
            torch.optim.Adam([codes], lr=plan.rate, eps=1e-15) for codes in (self._codes.anchors, self._codes.items)
        )

    @property
    def num_epochs(self) -> int:
        return self._plan.num_epochs

    def run_epoch(self, epoch: int) -> dict[str, float]:
        anchors, items, weight = self._codes.anchors, self._codes.items, self._plan.binary_weight
        rate = self._plan.rate * cosine_rate(epoch / self.num_epochs)
        with torch.no_grad():
            for optimizer in self._optimizers:
                set_learning_rate(optimizer, rate)
            pull = weight * binary_penalty_gradient(anchors)
            anchors.grad = self._divergence.anchor_gradient(anchors, items) + pull
            self._optimizers[0].step()
            pull = weight * binary_penalty_gradient(items)
            items.grad = self._divergence.item_gradient(anchors, items) + pull
            self._optimizers[1].step()
            # One vector less for both leaves every distance as it was, and every bit balanced.
            mean = items.mean(dim=0)
            items.sub_(mean)
            anchors.sub_(mean)
            losses = {
                "divergence": self._divergence.value(anchors, items) / len(anchors),
                "binary": float(binary_penalty(anchors) + binary_penalty(items)),
            }
        losses["loss"] = losses["divergence"] * len(anchors) + weight * losses["binary"]
        if not np.isfinite(losses["loss"]):
            raise TrainingDiverged("loss", str(losses["loss"]))
        return losses

    def state(self) -> dict[str, NDArray[np.generic]]:
        of_optimizers = [optimizer_arrays(o, f"optimizer{i}") for i, o in enumerate(self._optimizers)]
        return {**module_arrays(self._codes, "codes"), **of_optimizers[0], **of_optimizers[1]}

    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        load_module_arrays(self._codes, "codes", state)
        for number, optimizer in enumerate(self._optimizers):
            load_optimizer_arrays(optimizer, f"optimizer{number}", state)

    def publish(self) -> None:
        self._take(_signs(self._codes.anchors), _signs(self._codes.items))


def _signs(codes: torch.Tensor) -> Signs:
    return np.where(codes.detach().cpu().numpy() >= 0, np.int8(1), np.int8(-1))
