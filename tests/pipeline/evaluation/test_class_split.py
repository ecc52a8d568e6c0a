from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.evaluation.class_split import ClassSplit, draw_per_class
from pipeline.evaluation.labelled_pictures import LabelledPictures


def _pictures(labels: tuple[tuple[str, ...], ...]) -> LabelledPictures:
    keys = tuple(f"{row:04}" for row in range(len(labels)))
    return LabelledPictures(keys=keys, labels=labels, read=lambda row: keys[row].encode())


_CLASSES = _pictures(tuple((name,) for name in "abc" for _ in range(20)))


def _count(pictures: LabelledPictures | None) -> dict[str, int]:
    assert pictures is not None
    return {name: pictures.labels.count((name,)) for name in "abc"}


def test_the_whole_database_is_learned_from_unless_said_otherwise() -> None:
    data = ClassSplit(queries_per_class=3).of(_CLASSES, seed=0)
    assert _count(data.queries) == {"a": 3, "b": 3, "c": 3}
    assert data.training is None
    assert sorted(data.queries.keys + data.database.keys) == list(_CLASSES.keys)


@pytest.mark.parametrize(("apart", "num_database"), [(False, 17), (True, 12)])
def test_a_training_set_of_its_own(apart: bool, num_database: int) -> None:
    split = ClassSplit(queries_per_class=3, training_per_class=5, training_apart=apart)
    data = split.of(_CLASSES, seed=0)
    assert data.training is not None
    assert _count(data.training) == {"a": 5, "b": 5, "c": 5}
    assert _count(data.database) == {"a": num_database, "b": num_database, "c": num_database}
    assert set(data.training.keys).isdisjoint(data.queries.keys)
    assert set(data.database.keys).isdisjoint(data.queries.keys)
    assert set(data.training.keys).isdisjoint(data.database.keys) == apart
    assert data.database.read(0) == data.database.keys[0].encode()


def test_the_split_follows_the_seed() -> None:
    splits = [ClassSplit(queries_per_class=3).of(_CLASSES, seed).queries.keys for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


@given(st.integers(0, 2**32), st.integers(1, 2))
def test_pictures_of_several_classes_are_drawn_once(seed: int, num_per_class: int) -> None:
    labels = tuple(combinations("abcdefg", 3))  # 35 pictures, 15 of each class
    rows = draw_per_class(labels, np.arange(35), num_per_class, np.random.default_rng(seed))
    assert len(rows) == 7 * num_per_class
    assert rows.tolist() == sorted(set(rows.tolist()))
    for name in "abcdefg":
        assert sum(name in labels[row] for row in rows) >= num_per_class


def test_only_candidates_are_drawn() -> None:
    rows = draw_per_class(_CLASSES.labels, np.arange(15, 30), 5, np.random.default_rng(0))
    assert rows.tolist()[:5] == [15, 16, 17, 18, 19]
    assert len(rows) == 10


def test_a_class_with_too_few_is_named() -> None:
    with pytest.raises(UsageError, match="class 'a': 20 pictures to draw 21 from"):
        ClassSplit(queries_per_class=21).of(_CLASSES, seed=0)
