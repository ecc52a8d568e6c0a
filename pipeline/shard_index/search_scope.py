"""`SearchScope`: which items of an index may answer a query, by distance and by the columns they carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import UsageError

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "!=": pc.not_equal,
    "<=": pc.less_equal,
    ">=": pc.greater_equal,
    "=": pc.equal,
    "<": pc.less,
    ">": pc.greater,
}
_CONDITION = re.compile(r"\s*([^=<>!\s]+)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class ColumnCondition:
    """`column operator value`; `value` is text in the words of the column's type. A row without a value never holds."""

    column: str
    operator: str
    value: str

    @classmethod
    def parse(cls, text: str) -> ColumnCondition:
        """From `label=shoe` or `width >= 640`. Raises `UsageError` for other text."""
        match = _CONDITION.fullmatch(text)
        if match is None or not match[3]:
            raise UsageError(f"condition {text!r}: expected COLUMN=VALUE, with one of {' '.join(_OPERATORS)}")
        return cls(*match.groups())

    def holds(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        """Booleans `(num_rows,)`. Raises `UsageError` for a column that is not there or cannot be compared so."""
        if self.column not in batch.schema.names:
            raise UsageError(f"condition {self}: no column {self.column!r}, only {', '.join(batch.schema.names)}")
        column = batch.column(self.column)
        try:
            value = pa.scalar(self.value).cast(column.type)
            held = _OPERATORS[self.operator](column, value)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            raise UsageError(
                f"condition {self}: column {self.column!r} holds {column.type}, which {self.value!r} cannot be "
                "compared with"
            ) from None
        mask: NDArray[np.bool_] = pc.fill_null(held, False).to_numpy(zero_copy_only=False)
        return mask

    def __str__(self) -> str:
        return f"{self.column}{self.operator}{self.value}"


@dataclass(frozen=True, kw_only=True)
class SearchScope:
    """`radius`: bits that an answer may differ in, None for any. `where`: conditions that all hold of an answer.

    Raises `UsageError` for a radius that is no whole number of at least 0.
    """

    radius: int | None = None
    where: tuple[ColumnCondition, ...] = ()

    def __post_init__(self) -> None:
        radius = self.radius
        if radius is not None and (isinstance(radius, bool) or not isinstance(radius, int) or radius < 0):
            raise UsageError(f"radius = {radius!r}: expected a whole number of at least 0")

    @property
    def below(self) -> int | None:
        """The first distance that is too far."""
        return None if self.radius is None else self.radius + 1

    def rows_where(self, batches: Sequence[pa.RecordBatch]) -> NDArray[np.bool_]:
        """Booleans `(num_rows,)`: rows of which every condition holds. Raises `UsageError`."""
        masks = []
        for batch in batches:
            mask = np.ones(batch.num_rows, bool)
            for condition in self.where:
                mask &= condition.holds(batch)
            masks.append(mask)
        return np.concatenate(masks)


EVERYTHING = SearchScope()
