"""`RetrievalProtocol`: a data set is not enough to compare numbers; the split and what counts as relevant are part of
it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from operators.features.feature_extractor import Json
from operators.metrics.relevance import RelevanceRows
from pipeline.evaluation.label_relevance import relevance_of
from pipeline.evaluation.labelled_pictures import LabelledPictures


@dataclass(frozen=True, kw_only=True)
class ProtocolData:
    """The pictures of a protocol. Methods are fitted on the database; `queries` are never seen in training."""

    database: LabelledPictures
    queries: LabelledPictures

    def relevance(self) -> RelevanceRows:
        """Equal label, or at least one shared label where pictures have several."""
        return relevance_of(self.queries.labels, self.database.labels)

    def with_fewer_queries(self, max_queries: int, seed: int) -> ProtocolData:
        """A seeded sample of the queries, in their order; all of them when there are no more than `max_queries`."""
        if len(self.queries) <= max_queries:
            return self
        rows = np.sort(np.random.default_rng(seed).permutation(len(self.queries))[:max_queries])
        return ProtocolData(database=self.database, queries=self.queries.select(rows))


class RetrievalProtocol(ABC):
    """A named split with its relevance and headline metric; `load` finds the files or says what is missing."""

    name: ClassVar[str]
    summary: ClassVar[str]
    headline_metric: ClassVar[str] = "map_at_10"

    @abstractmethod
    def load(self) -> ProtocolData:
        """Raises `UsageError` that names the missing files, where they come from and where to put them."""

    def feature_settings(self, features: str) -> dict[str, Json]:
        """Settings of the named features that the protocol prescribes; what the user gives goes before them."""
        return {}
