"""What counts as a right answer: relevance of every database item to a block of queries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch

RelevanceRows = Callable[[slice], NDArray[np.bool_]]
"""Rows of queries to booleans `(num_rows, num_database)`, computed when asked for."""


def same_label(query_labels: NDArray[np.int64], database_labels: NDArray[np.int64]) -> RelevanceRows:
    """Relevant = equal label. Labels are int64 `(num_items,)`; raises `ShapeMismatch` for another rank."""
    for name, labels in (("query_labels", query_labels), ("database_labels", database_labels)):
        if labels.ndim != 1:
            raise ShapeMismatch(name, str(labels.shape), "(num_items,)")

    def rows(block: slice) -> NDArray[np.bool_]:
        return np.asarray(query_labels[block, None] == database_labels[None, :])

    return rows


def shared_label(query_labels: NDArray[np.bool_], database_labels: NDArray[np.bool_]) -> RelevanceRows:
    """Relevant = at least one label in common. Labels are bool `(num_items, num_labels)` over one list of labels.

    Raises `ShapeMismatch` when the matrices are not bool or differ in width.
    """
    for name, labels in (("query_labels", query_labels), ("database_labels", database_labels)):
        if labels.ndim != 2 or labels.dtype != np.bool_:
            raise ShapeMismatch(name, f"{labels.dtype} {labels.shape}", "bool (num_items, num_labels)")
    if query_labels.shape[1] != database_labels.shape[1]:
        raise ShapeMismatch("database_labels", f"{database_labels.shape[1]} labels", f"{query_labels.shape[1]} labels")
    # Counts of shared labels are small integers: exact in float32, and float products are the fast ones.
    database_columns = database_labels.T.astype(np.float32)

    def rows(block: slice) -> NDArray[np.bool_]:
        return (query_labels[block].astype(np.float32) @ database_columns) > 0

    return rows
