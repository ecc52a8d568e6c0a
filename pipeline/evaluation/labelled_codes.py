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
        order = np.argsort(self.ids, kind="stable")
        rows = order.tolist()
        return LabelledCodes(
            codes=self.codes[order],
            ids=self.ids[order],
            labels=[self.labels[row] for row in rows],
            keys=[self.keys[row] for row in rows],
            uris=[self.uris[row] for row in rows],
        )

    def require_labels(self, subject: str) -> list[tuple[str, ...]]:
        """One label per item. Raises `UsageError` with the counts when labels are missing or all alike; `subject` names
        the index or collection."""
        num_missing = sum(label is None for label in self.labels)
        if num_missing:
            raise UsageError(
                f"{subject}: {num_missing:,} of {len(self.labels):,} items have no label, so nobody can say what is "
                "relevant; encode from class folders, or name the label column of the table"
            )
        labels: list[tuple[str, ...]] = [(label,) for label in self.labels if label is not None]
        num_labels = len(set(labels))
        if num_labels < 2:
            raise UsageError(f"{subject}: {len(labels):,} items with {num_labels} label; expected at least two labels")
        return labels

    def sample_queries(self, max_queries: int, seed: int) -> NDArray[np.int64]:
        """Rows of a seeded sample, ascending, int64 `(min(max_queries, num_items),)`."""
        if max_queries < 1:
            raise UsageError(f"max_queries = {max_queries}: expected at least 1")
        return np.sort(np.random.default_rng(seed).permutation(len(self.codes))[:max_queries])
