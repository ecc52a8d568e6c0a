"""Splitting labelled pictures into queries, database and training set, class by class, as published protocols do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UsageError
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.retrieval_protocol import ProtocolData

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClassSplit:
    """How many pictures of each class are queries, and how many are learned from (None: the whole database).

    `training_apart`: those learned from leave the database. A picture of several classes is drawn once.
    """

    queries_per_class: int
    training_per_class: int | None = None
    training_apart: bool = False

    def of(self, pictures: LabelledPictures, seed: int) -> ProtocolData:
        """A seeded split. Raises `UsageError` for a class with too few pictures."""
        generator = np.random.default_rng(seed)
        everything = np.arange(len(pictures))
        queries = draw_per_class(pictures.labels, everything, self.queries_per_class, generator)
        rest = np.setdiff1d(everything, queries, assume_unique=True)
        if self.training_per_class is None:
            return ProtocolData(database=pictures.select(rest), queries=pictures.select(queries))
        training = draw_per_class(pictures.labels, rest, self.training_per_class, generator)
        if self.training_apart:
            rest = np.setdiff1d(rest, training, assume_unique=True)
        return ProtocolData(
            database=pictures.select(rest), queries=pictures.select(queries), training=pictures.select(training)
        )


def draw_per_class(
    labels: Sequence[tuple[str, ...]], candidates: Rows, num_per_class: int, generator: np.random.Generator
) -> Rows:
    """`num_per_class` of the `candidates` for each class that occurs, class by class in sorted order, none twice.

    Returns int64 rows, ascending. Raises `UsageError` for a class with too few.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for row in candidates.tolist():
        for name in labels[row]:
            members[name].append(row)
    drawn: set[int] = set()
    for name in sorted(members):
        free = [row for row in members[name] if row not in drawn]
        if len(free) < num_per_class:
            raise UsageError(
                f"class {name!r}: {len(free)} pictures to draw {num_per_class} from; expected more of them"
            )
        drawn.update(free[position] for position in generator.permutation(len(free))[:num_per_class].tolist())
    return np.array(sorted(drawn), dtype=np.int64)
