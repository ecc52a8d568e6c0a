"""What a search service answers, as Python has it. Fields of a newer service that are not known here are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

Record = TypeVar("Record")
JsonObject = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One item, the nearest with rank 1. `distance` in bits (int), or a real number where codes are quantized.
    `key`, `uri` and `payload` are empty when none was asked for."""

    rank: int
    id: int
    distance: int | float
    key: str = ""
    uri: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TieFacts:
    """`kth_distance`: that of hit k, None when there are fewer. `complete`: no item at that distance is left out."""

    policy: str
    kth_distance: int | float | None
    complete: bool


@dataclass(frozen=True, kw_only=True)
class AnswerFacts:
    """What an answer rests on: one generation, and so many of its rows. `timing_ms` by stage, in milliseconds."""

    index: str
    generation: str
    model_id: str
    num_bits: int
    k: int
    degraded: bool
    coverage: float
    rows_searched: int
    rows_total: int
    failed_shards: tuple[str, ...]
    timing_ms: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class QueryAnswer(AnswerFacts):
    """`query_code` in hex; None where codes are quantized and the query is a picture."""

    hits: tuple[Hit, ...]
    ties: TieFacts
    query_code: str | None


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """Hits of one query, or what is wrong with it: then `error` is not "", and `status` is the HTTP status that the
    query alone would have got."""

    hits: tuple[Hit, ...] = ()
    ties: TieFacts | None = None
    query_code: str | None = None
    status: int = 200
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class BatchAnswer(AnswerFacts):
    """`results[i]` belongs to query i."""

    results: tuple[BatchResult, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two codes in hex. `differing_bits`: positions; 0 is the most significant bit of the first byte."""

    index: str
    generation: str
    num_bits: int
    code_a: str
    code_b: str
    distance: int
    differing_bits: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class IndexStatus:
    """The state of a served index. `ready` unless there are `reasons` against it. `columns`: name -> type, for
    conditions; only `SearchClient.index` knows them."""

    index: str
    alias: str
    generation: str | None
    model_id: str | None
    num_bits: int | None
    num_rows: int
    table_version: int | None
    coverage: float
    failed_shards: tuple[str, ...]
    staleness_seconds: float | None
    trouble: str
    ready: bool
    reasons: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether every index answers from all its shards and is fresh enough."""

    ready: bool
    indexes: tuple[IndexStatus, ...]


@dataclass(frozen=True, kw_only=True)
class DeleteAnswer:
    """`generation` holds no deleted item any more. `not_found`: ids (as digits) and keys that named no item."""

    index: str
    generation: str
    num_deleted: int
    not_found: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AliasAnswer:
    """`alias` points at `generation`."""

    index: str
    alias: str
    generation: str


def query_answer(content: JsonObject) -> QueryAnswer:
    """Raises `KeyError`, `TypeError` or `ValueError` for what is no such answer, as all of these functions do."""
    return _record(QueryAnswer, {**content, "hits": _hits(content["hits"]), "ties": _record(TieFacts, content["ties"])})


def batch_answer(content: JsonObject) -> BatchAnswer:
    return _record(BatchAnswer, {**content, "results": tuple(map(_batch_result, content["results"]))})


def comparison(content: JsonObject) -> Comparison:
    return _record(Comparison, {**content, "code_a": content["a"]["code"], "code_b": content["b"]["code"]})


def index_status(content: JsonObject) -> IndexStatus:
    return _record(IndexStatus, content)


def readiness(content: JsonObject) -> Readiness:
    return Readiness(ready=content["ready"], indexes=tuple(map(index_status, content["indexes"])))


def delete_answer(content: JsonObject) -> DeleteAnswer:
    return _record(DeleteAnswer, content)


def alias_answer(content: JsonObject) -> AliasAnswer:
    return _record(AliasAnswer, content)


def _batch_result(content: JsonObject) -> BatchResult:
    if content.get("error") is not None:
        return BatchResult(status=content["error"]["status"], error=content["error"]["detail"])
    ties = _record(TieFacts, content["ties"]) if content.get("ties") is not None else None
    return BatchResult(hits=_hits(content["hits"]), ties=ties, query_code=content.get("query_code"))


def _hits(content: list[JsonObject]) -> tuple[Hit, ...]:
    return tuple(_record(Hit, {**hit, "id": int(hit["id"])}) for hit in content)


def _record(cls: type[Record], content: JsonObject) -> Record:
    known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    frozen = {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
    return cls(**{name: value for name, value in frozen.items() if name in known})
