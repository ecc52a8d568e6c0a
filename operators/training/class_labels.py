"""Labels as a method takes them: one class number per item, or 0/1 for every item and class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting, ShapeMismatch


def require_labels(method: str, labels: NDArray[np.int64] | None, num_items: int) -> NDArray[np.int64]:
    """The labels, int64 `(num_items,)` or `(num_items, num_classes)`.

    Raises `InvalidSetting` when there are none or fewer than two classes, `ShapeMismatch` for another number of items
    or values that are neither.
    """
    if labels is None:
        raise InvalidSetting(
            f"{method}.labels", "none", "a label for every item; take class folders, or name the column of labels"
        )
    if labels.dtype != np.int64 or labels.ndim not in (1, 2) or len(labels) != num_items:
        expected = f"int64 ({num_items},) or ({num_items}, num_classes)"
        raise ShapeMismatch("labels", f"{labels.dtype} {labels.shape}", expected)
    if labels.ndim == 2 and not np.isin(labels, (0, 1)).all():
        raise ShapeMismatch("labels", "other values", "0 and 1")
    num_classes = len(np.unique(labels)) if labels.ndim == 1 else labels.shape[1]
    if num_classes < 2:
        raise InvalidSetting(f"{method}.labels", f"{num_classes} class", "at least 2 classes")
    return labels


def label_matrix(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """0/1 float32 `(num_items, num_classes)`; class numbers become one column each, in ascending order."""
    if labels.ndim == 2:
        return labels.astype(np.float32)
    names, columns = np.unique(labels, return_inverse=True)
    return np.eye(len(names), dtype=np.float32)[columns]
