"""Answers as the OpenAPI document describes them. The answers are built without these models (`answer_json`); a test
checks that they fit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.search_api.query_request import Ties

Ratio = Annotated[float, Field(ge=0, le=1)]
Digits = Annotated[
    str, Field(pattern="^[0-9]+$", description="An int64 as digits: it does not fit a JavaScript number.")
]
Distance = Annotated[float, Field(ge=0, description="Bits; a real number where codes are quantized.")]
HexCode = Annotated[str, Field(pattern="^([0-9a-f]{2})+$")]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Hit(_Answer):
    """One item of an answer. Without payload asked for, only rank, id and distance."""

    rank: Annotated[int, Field(ge=1)]
    id: Digits
    distance: Distance
    key: str = ""
    uri: str = ""
    payload: dict[str, Any] = {}


class TieFacts(_Answer):
    """`kth_distance`: that of hit k, null when there are fewer. `complete`: no item at that distance is left out."""

    policy: Ties
    kth_distance: Distance | None
    complete: bool


class AnswerFacts(_Answer):
    """What an answer rests on: one generation, and so many of its rows."""

    index: str
    generation: str
    model_id: str
    num_bits: int
    k: int
    degraded: bool
    coverage: Ratio
    rows_searched: int
    rows_total: int
    failed_shards: list[str]
    timing_ms: dict[str, float]


class QueryAnswer(AnswerFacts):
    """`query_code`: null where codes are quantized and the query is a picture."""

    ties: TieFacts
    query_code: HexCode | None
    hits: list[Hit]


class ErrorFacts(_Answer):
    """What is wrong with one query of a batch."""

    status: int
    detail: str


class BatchResult(_Answer):
    """Hits of one query, or what is wrong with it."""

    query_code: HexCode | None = None
    ties: TieFacts | None = None
    hits: list[Hit] | None = None
    error: ErrorFacts | None = None


class BatchAnswer(AnswerFacts):
    """`results[i]` belongs to query i."""

    results: list[BatchResult]


class EncodedCode(_Answer):
    """A code in both forms, or why there is none."""

    hex: HexCode | None = None
    base64: str | None = None
    error: str | None = None


class EncodeAnswer(_Answer):
    """`codes[i]` belongs to picture i."""

    index: str
    model_id: str
    num_bits: int
    codes: list[EncodedCode]


class ComparedCode(_Answer):
    """One of two codes."""

    code: HexCode


class CompareAnswer(_Answer):
    """`differing_bits`: their positions; 0 is the most significant bit of the first byte."""

    index: str
    generation: str
    num_bits: int
    a: ComparedCode
    b: ComparedCode
    distance: int
    differing_bits: list[int]


class IndexFacts(_Answer):
    """The state of a served index at the last refresh."""

    index: str
    alias: str
    generation: str | None
    model_id: str | None
    num_bits: int | None
    num_rows: int
    table_version: int | None
    coverage: Ratio
    failed_shards: list[str]
    staleness_seconds: float | None
    trouble: str
    ready: bool
    reasons: list[str]


class IndexDetails(IndexFacts):
    """`columns`: name -> type, of the payload. `generations`: oldest first. `aliases`: name -> generation."""

    columns: dict[str, str]
    generations: list[str]
    aliases: dict[str, str]


class DeleteAnswer(_Answer):
    """`generation` lacks the items, and answers now. `not_found`: ids and keys that named none."""

    index: str
    generation: str
    num_deleted: int
    not_found: list[str]


class AliasAnswer(_Answer):
    """Where the alias points now."""

    index: str
    alias: str
    generation: str


class ClipResult(BaseModel):
    """One result as clip-retrieval's clients read it: `similarity` = 1 - distance / num_bits,
    or 1 / (1 + distance) where codes are quantized."""

    id: int
    similarity: float
    url: str = ""
    caption: str | None = None


class IndexList(_Answer):
    """Every served index."""

    indexes: list[IndexFacts]


class ReadyAnswer(_Answer):
    """Whether every index is ready, and each one's state."""

    ready: bool
    indexes: list[IndexFacts]


class HealthAnswer(_Answer):
    """The process answers."""

    status: str


class VersionAnswer(_Answer):
    """What runs here."""

    name: str
    version: str


class ItemAnswer(_Answer):
    """One indexed item: where it comes from, its columns and its code."""

    index: str
    generation: str
    id: Digits
    key: str
    uri: str
    payload: dict[str, Any]
    code: HexCode
