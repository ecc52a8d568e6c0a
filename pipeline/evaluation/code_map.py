"""Codes on a plane by t-SNE (van der Maaten and Hinton 2008): do classes form groups of their own?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.hashers.hasher import Hasher
from operators.hashers.quantizer import Quantizer
from pipeline.errors import MissingExtra
from pipeline.evaluation.finished_run import CodeMap

MAX_ITEMS = 1000
_MAX_CLASSES = 10
_OTHERS = "other classes"
_PERPLEXITY = 30.0


def require_map_library() -> None:
    """Raises `MissingExtra` when scikit-learn is not installed: before the long work, not after it."""
    if find_spec("sklearn") is None:
        raise MissingExtra("scikit-learn, which draws the maps of codes,", "evaluate")


def code_vectors(hasher: Hasher, codes: BinaryCodes) -> NDArray[np.float32]:
    """Vectors whose Euclidean distances are those of the codes: -1 and 1 for bits, the reconstruction for codewords.

    float32 `(num_items, width)`."""
    if isinstance(hasher, Quantizer):
        return hasher.reconstruct(codes)
    return np.where(codes.to_bits(), np.float32(1), np.float32(-1))


def map_codes(vectors: NDArray[np.float32], labels: Sequence[tuple[str, ...]], seed: int) -> CodeMap:
    """`vectors` `(num_items, width)` of at most `MAX_ITEMS` items on a plane, each coordinate within 0 to 1.

    Colours go to the ten most frequent first labels; codes that are all equal stay in one point.
    """
    names = [item[0] for item in labels]
    frequent = sorted(name for name, _ in Counter(names).most_common(_MAX_CLASSES))
    classes = [*frequent, *([_OTHERS] if len(set(names)) > len(frequent) else [])]
    positions = {name: number for number, name in enumerate(frequent)}
    points = _plane(vectors, seed)
    return CodeMap(
        x=[round(float(value), 4) for value in points[:, 0]],
        y=[round(float(value), 4) for value in points[:, 1]],
        class_numbers=[positions.get(name, len(frequent)) for name in names],
        classes=classes,
    )


def sample_rows(num_items: int, seed: int) -> NDArray[np.int64]:
    """At most `MAX_ITEMS` seeded rows, ascending: the same ones for every method."""
    return np.sort(np.random.default_rng(seed).permutation(num_items)[:MAX_ITEMS])


def _plane(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    # By name: scikit-learn is an extra, and brings no types.
    tsne_class: Any = import_module("sklearn.manifold").TSNE
    if len(vectors) < 4 or np.all(vectors == vectors[0]):
        return np.full((len(vectors), 2), 0.5)
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    tsne = tsne_class(n_components=2, perplexity=perplexity, init="random", random_state=seed % 2**32)
    points = np.asarray(tsne.fit_transform(vectors), dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.maximum(high - low, 1e-12))
