"""`LabelledCodes`: the codes of an index or collection with their labels, as plain arrays, ready to be evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from pipeline.errors import UsageError


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledCodes:
    """`ids` int64 `(num_items,)`, unique; `labels`, `keys` and `uris` have one entry per item; a label may be None.

    Raises `ShapeMismatch` when counts differ.
    """

    codes: BinaryCodes
    ids: NDArray[np.int64]
    labels: Sequence[str | None]
    keys: Sequence[str]
    uris: Sequence[str]

    def __post_init__(self) -> None:
        counts = [len(self.codes), len(self.ids), len(self.labels), len(self.keys), len(self.uris)]
        if len(set(counts)) != 1:
            raise ShapeMismatch("codes, ids, labels, keys and uris", str(counts), "one of each per item")

    def in_order_of_ids(self) -> LabelledCodes:
        """The same items by ascending id, so that samples and rankings do not depend on the order of shards."""
        return self._take(np.argsort(self.ids, kind="stable"))

    def with_labels_only(self) -> LabelledCodes:
        """Without the items that have no label: nobody can say what is relevant to them."""
        return self._take(np.flatnonzero([label is not None for label in self.labels]))

    def _take(self, positions: NDArray[np.intp]) -> LabelledCodes:
        rows = positions.tolist()
        return LabelledCodes(
            codes=self.codes[positions],
            ids=self.ids[positions],
            labels=[self.labels[row] for row in rows],
            keys=[self.keys[row] for row in rows],
            uris=[self.uris[row] for row in rows],
        )

    def require_labels(self, subject: str) -> list[tuple[str, ...]]:
        """The labels, one per item. Raises `UsageError` when there are fewer than two different ones; `subject` names
        the index or collection."""
        labels: list[tuple[str, ...]] = [(label,) for label in self.labels if label is not None]
        num_labels = len(set(labels))
        if num_labels < 2 or len(labels) < len(self.labels):
            raise UsageError(
                f"{subject}: {len(labels):,} of {len(self.labels):,} items have a label, {num_labels} different; "
                "expected at least two classes: encode from class folders, or name the label column of the table"
            )
        return labels

    def sample_queries(self, max_queries: int, seed: int) -> NDArray[np.int64]:
        """Rows of a seeded sample, ascending, int64 `(min(max_queries, num_items),)`."""
        if max_queries < 1:
            raise UsageError(f"max_queries = {max_queries}: expected at least 1")
        return np.sort(np.random.default_rng(seed).permutation(len(self.codes))[:max_queries])
