"""Answers as JSON: plain dictionaries, built once and written once, because every query pays for them."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

from operators.binary_codes import BinaryCodes
from pipeline.routing.search_answer import Neighbor, SearchAnswer
from pipeline.search_api.query_request import Ties
from pipeline.search_api.tied_hits import TiedHits
from pipeline.shard_index.index_manifest import IndexManifest

JsonObject = dict[str, Any]


def to_json_bytes(content: Any) -> bytes:
    """UTF-8. NaN and infinity, which JSON does not know, become null; values of other types their text."""
    try:
        text = _ENCODER.encode(content)
    except ValueError:
        text = _ENCODER.encode(_without_nan(content))
    return text.encode("utf-8")


def answer_facts(answer: SearchAnswer, k: int) -> JsonObject:
    """What an answer rests on."""
    coverage = answer.coverage
    return {
        "index": answer.index,
        "generation": answer.generation,
        "model_id": answer.model_id,
        "num_bits": answer.num_bits,
        "k": k,
        "degraded": coverage.degraded or bool(coverage.failed_shards),
        "coverage": coverage.ratio,
        "rows_searched": coverage.rows_searched,
        "rows_total": coverage.rows_total,
        "failed_shards": list(coverage.failed_shards),
    }


def hits_json(hits: TiedHits, with_payload: bool) -> list[JsonObject]:
    """Hits, nearest first. Ids are digits in a string: int64 does not fit a number of JavaScript."""
    if not with_payload:
        return [
            {"rank": rank, "id": str(hit.id), "distance": hit.distance} for rank, hit in enumerate(hits.hits, start=1)
        ]
    return [_hit_json(rank, hit) for rank, hit in enumerate(hits.hits, start=1)]


def ties_json(hits: TiedHits, policy: Ties, degraded: bool) -> JsonObject:
    return {"policy": policy, "kth_distance": hits.kth_distance, "complete": hits.complete and not degraded}


def code_json(codes: BinaryCodes) -> JsonObject:
    """One code in both forms that requests take."""
    raw = codes.packed[0].tobytes()
    return {"hex": raw.hex(), "base64": base64.b64encode(raw).decode("ascii")}


def item_json(manifest: IndexManifest, item_id: int, code: BinaryCodes, columns: Mapping[str, Any]) -> JsonObject:
    """One indexed item, with its `columns` key and uri beside the others."""
    payload = dict(columns)
    return {
        "index": manifest.index,
        "generation": manifest.generation,
        "id": str(item_id),
        "key": payload.pop("key"),
        "uri": payload.pop("uri"),
        "payload": payload,
        "code": code.to_hex()[0],
    }


def milliseconds(seconds: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(1000 * value, 3) for stage, value in seconds.items()}


def _hit_json(rank: int, hit: Neighbor) -> JsonObject:
    return {
        "rank": rank,
        "id": str(hit.id),
        "distance": hit.distance,
        "key": hit.key,
        "uri": hit.uri,
        "payload": hit.payload,
    }


def _text_of(value: Any) -> str:
    """Dates as ISO 8601, bytes as base64, the rest as Python says it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_text_of)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _without_nan(each) for name, each in value.items()}
    return [_without_nan(each) for each in value] if isinstance(value, (list, tuple)) else value
