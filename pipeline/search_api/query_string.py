"""Search terms in a query string, as strict as in a body."""

from __future__ import annotations

import re
from typing import Any

from starlette.datastructures import QueryParams

from pipeline.errors import UsageError
from pipeline.search_api.query_request import QueryRequest
from pipeline.search_api.strict_json import check_request, shown

_NUMBERS = ("k", "radius")
_FLAGS = ("allow_partial", "with_payload")
_KNOWN = (*_NUMBERS, *_FLAGS, "where", "ties")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


TERM_PARAMETERS = [
    _parameter("k", {"type": "integer", "minimum": 1, "default": 10}),
    _parameter("radius", {"type": "integer", "minimum": 0, "maximum": 2**20}),
    _parameter("where", {"type": "array", "items": {"type": "string", "maxLength": 1024}, "maxItems": 16}),
    _parameter("ties", {"type": "string", "enum": ["id", "all"], "default": "id"}),
    _parameter("allow_partial", {"type": "boolean", "default": False}),
    _parameter("with_payload", {"type": "boolean", "default": True}),
]


def terms_of(parameters: QueryParams) -> QueryRequest:
    """A query without its picture. Only `where` may stand several times. Raises `UsageError`."""
    content: dict[str, Any] = {}
    for name, text in parameters.multi_items():
        if name not in _KNOWN:
            raise UsageError(f"{shown(name)}: unknown parameter; known: {', '.join(_KNOWN)}")
        if name == "where":
            content.setdefault("where", []).append(text)
        elif name in content:
            raise UsageError(f"{name}: given twice")
        else:
            content[name] = _value(name, text)
    return check_request(content, QueryRequest)


def _value(name: str, text: str) -> Any:
    """Numbers and flags as JSON has them; other text as it is, for the check of its field to refuse."""
    if name in _NUMBERS and _WHOLE.fullmatch(text):
        return int(text)
    if name in _FLAGS and text in ("true", "false"):
        return text == "true"
    return text
