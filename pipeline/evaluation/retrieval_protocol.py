"""`RetrievalProtocol`: a data set is not enough to compare numbers; the split and what counts as relevant are part of
it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from operators.features.feature_extractor import Json
from operators.metrics.relevance import RelevanceRows
from pipeline.evaluation.label_relevance import relevance_of
from pipeline.evaluation.labelled_pictures import LabelledPictures


@dataclass(frozen=True, kw_only=True)
class ProtocolData:
    """The pictures of a protocol. Methods are fitted on `training`, or on the database where it is None; `queries` are
    never seen in training."""

    database: LabelledPictures
    queries: LabelledPictures
    training: LabelledPictures | None = None

    def relevance(self) -> RelevanceRows:
        """Equal label, or at least one shared label where pictures have several."""
        return relevance_of(self.queries.labels, self.database.labels)

    def with_fewer_queries(self, max_queries: int, seed: int) -> ProtocolData:
        """A seeded sample of the queries, in their order; all of them when there are no more than `max_queries`."""
        return (
            self
            if len(self.queries) <= max_queries
            else replace(self, queries=_sample(self.queries, max_queries, seed))
        )

    def with_less_training(self, max_training: int, seed: int) -> ProtocolData:
        """A seeded sample to fit on, in its order; as it is when there is no more than `max_training`."""
        whole = self.database if self.training is None else self.training
        return self if len(whole) <= max_training else replace(self, training=_sample(whole, max_training, seed))


def _sample(pictures: LabelledPictures, max_pictures: int, seed: int) -> LabelledPictures:
    return pictures.select(np.sort(np.random.default_rng(seed).permutation(len(pictures))[:max_pictures]))


class RetrievalProtocol(ABC):
    """A named split with its relevance, the metric that its results are compared by, and the cut-offs that are of
    interest; `load` finds the files or says what is missing."""

    name: ClassVar[str]
    summary: ClassVar[str]
    headline_metric: ClassVar[str] = "map_at_10"
    cutoffs: ClassVar[tuple[int, ...]] = (10, 100, 1000)

    @abstractmethod
    def load(self) -> ProtocolData:
        """Raises `UsageError` that names the missing files, where they come from and where to put them."""

    def feature_settings(self, features: str) -> dict[str, Json]:
        """Settings of the named features that the protocol prescribes; what the user gives goes before them."""
        return {}
