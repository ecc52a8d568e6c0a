"""Conditions on carried columns: what they take, and what they refuse by name."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import UsageError
from pipeline.shard_index.search_scope import ColumnCondition, SearchScope

BATCH = pa.RecordBatch.from_pydict(
    {"label": ["cat", None, "dog"], "width": pa.array([640, 32, None], pa.int32()), "score": [0.5, 2.0, -1.0]}
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("label=cat", [0]),
        ("label != cat", [2]),
        ("width>=640", [0]),
        ("width < 640", [1]),
        ("score<=0.5", [0, 2]),
        ("score > 0.5", [1]),
        ("label= no such label ", []),
    ],
)
def test_holds_of_the_rows_it_says(text: str, rows: list[int]) -> None:
    held = SearchScope(where=(ColumnCondition.parse(text),)).rows_where([BATCH, BATCH])
    assert [row for row in range(6) if held[row]] == rows + [row + 3 for row in rows]


def test_all_conditions_hold() -> None:
    both = tuple(map(ColumnCondition.parse, ("score>-2", "width>0")))
    assert SearchScope(where=both).rows_where([BATCH]).tolist() == [True, True, False]
    assert SearchScope().rows_where([BATCH]).all()


@pytest.mark.parametrize("text", ["label", "=cat", "label=", "label~cat", ""])
def test_refuses_what_is_no_condition(text: str) -> None:
    with pytest.raises(UsageError, match="expected COLUMN=VALUE"):
        ColumnCondition.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"), [("color=red", "only label, width, score"), ("width=wide", "holds int32, which 'wide'")]
)
def test_refuses_what_the_columns_cannot_answer(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        ColumnCondition.parse(text).holds(BATCH)


@pytest.mark.parametrize("radius", [-1, True, 2.5])
def test_refuses_a_bad_radius(radius: Any) -> None:
    with pytest.raises(UsageError, match=r"radius = .*at least 0"):
        SearchScope(radius=radius)
