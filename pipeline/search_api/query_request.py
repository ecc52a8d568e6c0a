"""What callers may ask: the request bodies, checked field by field."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

_MAX_ID = 2**63 - 1
_MAX_TEXT = 4096
_MAX_CONDITIONS = 16
_MAX_CONDITION = 1024
# Far above every code, far below what an int32 holds.
_MAX_RADIUS = 2**20
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)


def parse_item_id(value: Any) -> int:
    """An id from a whole number or its digits: int64 does not fit a number of JavaScript. Raises `ValueError`."""
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _MAX_ID:
        raise ValueError(f"{str(value)[:60]!r} is no id: expected a whole number from 0 to 2**63 - 1, or its digits")
    return number


ItemId = Annotated[
    int,
    PlainValidator(parse_item_id),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _MAX_ID},
                {"type": "string", "pattern": "^[0-9]{1,18}$"},
            ],
            "description": "An id, as a whole number or as a string of its digits.",
        }
    ),
]
Text = Annotated[str, Field(max_length=_MAX_TEXT)]
Condition = Annotated[str, Field(max_length=_MAX_CONDITION)]
Conditions = Annotated[tuple[Condition, ...], Field(max_length=_MAX_CONDITIONS, strict=False)]
Ties = Literal["id", "all"]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class QueryBy(_Asked):
    """One thing to search with: exactly one of `image_b64` (a picture file in base64), `code` (hex or base64), `id`,
    `key`."""

    image_b64: str | None = None
    code: Text | None = None
    id: ItemId | None = None
    key: Text | None = None


class SearchTerms(_Asked):
    """How to search. `where`: conditions such as `label=shoe`, which all must hold. `ties`: "id" gives k hits, of
    those at one distance the smaller ids; "all" gives everything at the k-th distance."""

    k: Annotated[int, Field(ge=1)] = 10
    radius: Annotated[int, Field(ge=0, le=_MAX_RADIUS)] | None = None
    where: Conditions = ()
    ties: Ties = "id"
    allow_partial: bool = False
    with_payload: bool = True
    exclude_self: bool = True


class QueryRequest(SearchTerms, QueryBy):
    """One query."""


class BatchRequest(SearchTerms):
    """Several queries with the same terms, answered together."""

    queries: Annotated[tuple[QueryBy, ...], Field(min_length=1, strict=False)]


class EncodeRequest(_Asked):
    """Pictures to encode by the model of `index`."""

    index: Name
    images_b64: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]


class CompareRequest(_Asked):
    """Two things of `index` to compare."""

    index: Name
    a: QueryBy
    b: QueryBy


class DeleteRequest(_Asked):
    """Items to take out of `index`."""

    index: Name
    ids: Annotated[tuple[ItemId, ...], Field(strict=False)] = ()
    keys: Annotated[tuple[Text, ...], Field(strict=False)] = ()


class AliasRequest(_Asked):
    """Point `alias` of `index` at `generation`, or with `rollback` back at the one before."""

    index: Name
    alias: Name
    generation: Name | None = None
    rollback: bool = False
