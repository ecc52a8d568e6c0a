import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from pipeline.errors import UsageError
from pipeline.evaluation.labelled_codes import LabelledCodes


def _codes(labels: list[str | None], ids: list[int] | None = None) -> LabelledCodes:
    count = len(labels)
    return LabelledCodes(
        codes=BinaryCodes(np.arange(count, dtype=np.uint8)[:, None], 8),
        ids=np.array(ids if ids is not None else range(count), dtype=np.int64),
        labels=labels,
        keys=[f"key{row}" for row in range(count)],
        uris=[f"uri{row}" for row in range(count)],
    )


def test_missing_labels_are_counted() -> None:
    with pytest.raises(UsageError, match="index photos: 1 of 3 items have a label, 1 different"):
        _codes(["a", None, None]).require_labels("index photos")


def test_one_label_alone_cannot_be_evaluated() -> None:
    with pytest.raises(UsageError, match="2 of 2 items have a label, 1 different"):
        _codes(["a", "a"]).require_labels("index photos")


def test_items_without_a_label_are_dropped_together_with_their_codes() -> None:
    kept = _codes(["a", None, "c"]).with_labels_only()
    assert (kept.labels, kept.keys, kept.ids.tolist()) == (["a", "c"], ["key0", "key2"], [0, 2])
    assert kept.codes.packed[:, 0].tolist() == [0, 2]


def test_everything_moves_together_into_the_order_of_ids() -> None:
    ordered = _codes(["a", "b", "c"], ids=[7, 1, 4]).in_order_of_ids()
    assert ordered.ids.tolist() == [1, 4, 7]
    assert ordered.codes.packed[:, 0].tolist() == [1, 2, 0]
    assert (ordered.labels, ordered.keys, ordered.uris) == (
        ["b", "c", "a"],
        ["key1", "key2", "key0"],
        ["uri1", "uri2", "uri0"],
    )


def test_the_sample_is_seeded_ascending_and_no_larger_than_the_index() -> None:
    codes = _codes(["a"] * 50)
    first, again, other = (codes.sample_queries(10, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(set(first))
    assert codes.sample_queries(1000, 0).tolist() == list(range(50))


def test_no_queries_is_refused() -> None:
    with pytest.raises(UsageError, match="max_queries = 0"):
        _codes(["a"]).sample_queries(0, 0)


def test_counts_must_agree() -> None:
    with pytest.raises(ShapeMismatch, match="one of each per item"):
        _codes(["a", "b"], ids=[1])
