"""From labels as words to relevance: equal label when each item has one, at least one shared label otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.metrics.relevance import RelevanceRows, same_label, shared_label

Labels = Sequence[tuple[str, ...]]


def relevance_of(query_labels: Labels, database_labels: Labels) -> RelevanceRows:
    """Relevance of every database item to a block of queries."""
    names = label_names(query_labels, database_labels)
    if all(len(labels) == 1 for side in (query_labels, database_labels) for labels in side):
        return same_label(label_numbers(query_labels, names), label_numbers(database_labels, names))
    return shared_label(_label_matrix(query_labels, names), _label_matrix(database_labels, names))


def label_names(*sides: Labels) -> tuple[str, ...]:
    """Every label that occurs, sorted."""
    return tuple(sorted({name for side in sides for labels in side for name in labels}))


def label_numbers(labels: Labels, names: Sequence[str]) -> NDArray[np.int64]:
    """The position in `names` of the first label of each item, int64 `(num_items,)`."""
    positions = {name: position for position, name in enumerate(names)}
    return np.array([positions[item[0]] for item in labels], dtype=np.int64)


def training_labels(labels: Labels) -> NDArray[np.int64]:
    """What methods learn from: class numbers `(num_items,)` where each item has one label, else 0 or 1 for every item
    and label `(num_items, num_labels)`; int64."""
    names = label_names(labels)
    if all(len(item) == 1 for item in labels):
        return label_numbers(labels, names)
    return _label_matrix(labels, names).astype(np.int64)


def _label_matrix(labels: Labels, names: Sequence[str]) -> NDArray[np.bool_]:
    positions = {name: position for position, name in enumerate(names)}
    matrix = np.zeros((len(labels), len(names)), np.bool_)
    for row, item in enumerate(labels):
        matrix[row, [positions[name] for name in item]] = True
    return matrix
