"""`AnchorProbabilityHashing`: APHash (anchor-based probability hashing; equations of its poster)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted
from operators.hashers.anchor_neighborhoods import MIN_MEMBERS, anchor_neighborhoods
from operators.hashers.anchor_probability_run import AnchorProbabilityPlan, AnchorProbabilityRun, RelaxedCodes, Signs
from operators.hashers.method_settings import MethodSettings, number, whole
from operators.hashers.spread_codes import spread_codes
from operators.hashers.trainable_hasher import TrainableHasher
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers

_FIRST_SCALE = 1e-4

LearnFunction = Callable[[Signs, Signs], None]
"""Makes the hash function from the signs of anchors `(num_anchors, num_bits)` and of items `(num_items, num_bits)`."""


@dataclass(frozen=True, kw_only=True)
class AnchorProbabilitySettings(MethodSettings):
    """The poster leaves all of these open.

    `num_anchors` is m and `binary_weight` lambda (J1 being means over entries). k is `neighbor_share` of all items;
    about four tenths of the k nearest lie within the threshold. More anchors than dimensions, and neighbourhoods of the
    size of a class, made the best codes of training pictures of Fashion-MNIST. `rate` is the largest step of Adam;
    alpha is `ridge` times the mean of the anchors' squared centred features. Codes start as small principal components
    rotated at random: from noise alone, codes of 16 bits were worse and differed much between seeds.
    """

    num_anchors: int = whole(1000, minimum=2, maximum=100_000)
    neighbor_share: float = number(0.1, minimum=0, maximum=1)
    num_epochs: int = whole(60, minimum=1, maximum=100_000)
    rate: float = number(0.1, minimum=0, maximum=10)
    binary_weight: float = number(1.0, minimum=0, maximum=1e9)
    ridge: float = number(0.1, minimum=1e-9, maximum=1e9)


AnchorSettings = TypeVar("AnchorSettings", bound=AnchorProbabilitySettings)


class AnchorProbabilityMethod(TrainableHasher[AnchorSettings]):
    """Codes of anchors and items, learned in turns so that items near an anchor get codes near the anchor's.

    `training_codes` are the learned codes of the items; a query is to be coded by `encode`. Cost: num_items x
    num_anchors distances once and O(num_items num_anchors num_bits) per epoch; num_items x num_anchors bytes.
    """

    _item_codes: BinaryCodes | None = None

    @abstractmethod
    def function_learner(self, features: NDArray[np.float32], anchor_items: NDArray[np.int64]) -> LearnFunction:
        """What turns learned signs into the function that encodes; anchor i is row `anchor_items[i]`."""

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        check_feature_rows(features)
        settings = self._settings
        num_neighbors = max(MIN_MEMBERS, round(settings.neighbor_share * len(features)))
        self._check_size(features, num_neighbors)
        anchor_items = np.random.default_rng(settings.seed).permutation(len(features))[: settings.num_anchors]
        learn_function = self.function_learner(features, anchor_items)

        def take(anchor_signs: Signs, item_signs: Signs) -> None:
            learn_function(anchor_signs, item_signs)
            self._item_codes = BinaryCodes.from_bits(item_signs > 0)

        plan = AnchorProbabilityPlan(
            num_epochs=settings.num_epochs,
            rate=settings.rate,
            binary_weight=settings.binary_weight,
            device=workers.device,
        )
        first = spread_codes(features, num_bits=settings.num_bits, scale=_FIRST_SCALE, seed=settings.seed)
        members = anchor_neighborhoods(features, anchor_items, num_neighbors)
        return AnchorProbabilityRun(members, RelaxedCodes(first, anchor_items), plan, take)

    @property
    def training_codes(self) -> BinaryCodes | None:
        return self._item_codes

    def _check_size(self, features: NDArray[np.float32], num_neighbors: int) -> None:
        num_items = len(features)
        if num_items <= num_neighbors:
            raise InvalidSetting(f"{self.method}.neighbor_share", f"{num_neighbors} items", f"fewer than {num_items}")
        if num_items < self._settings.num_anchors:
            given = str(self._settings.num_anchors)
            raise InvalidSetting(f"{self.method}.num_anchors", given, f"at most {num_items}, the items to learn from")
        if (features == features[0]).all():
            raise InvalidSetting(f"{self.method}.features", "items that are all the same", "features that vary")


class AnchorProbabilityHashing(AnchorProbabilityMethod[AnchorProbabilitySettings]):
    """As published: a new item gets sign(W^T x), W fitted by ridge regression to the codes of the anchors."""

    method: ClassVar[str] = "aphash"
    settings_type = AnchorProbabilitySettings
    _projection: ExactProjection | None = None

    def function_learner(self, features: NDArray[np.float32], anchor_items: NDArray[np.int64]) -> LearnFunction:
        mean = features.mean(axis=0, dtype=np.float64)
        anchors = features[anchor_items] - mean

        def learn(anchor_signs: Signs, item_signs: Signs) -> None:
            matrix = ridge_projection(anchors, anchor_signs, self._settings.ridge)
            self._projection = ExactProjection(mean.astype(np.float32), matrix.astype(np.float32))

        return learn

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        return BinaryCodes.from_signs(self._fitted().project(features))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean` float32 `(num_dims,)`, `projection` float32 `(num_dims, num_bits)`."""
        return self._fitted().tensors()

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self._projection = ExactProjection.from_tensors(tensors, method=self.method, num_bits=self.num_bits)

    def _fitted(self) -> ExactProjection:
        if self._projection is None:
            raise NotFitted(self.method)
        return self._projection


def ridge_projection(rows: NDArray[np.float64], signs: Signs, ridge: float) -> NDArray[np.float64]:
    """W `(num_dims, num_bits)` that minimises |signs - rows W|^2 + alpha |W|^2, alpha being `ridge` times the mean
    diagonal entry of rows^T rows."""
    scatter = rows.T @ rows
    scatter[np.diag_indices_from(scatter)] += ridge * np.trace(scatter) / len(scatter)
    return np.asarray(np.linalg.solve(scatter, rows.T @ signs), np.float64)
