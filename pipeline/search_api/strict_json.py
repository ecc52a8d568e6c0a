"""JSON as callers must write it: UTF-8, one meaning per document, and nothing that the request has no field for."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import UsageError

Asked = TypeVar("Asked", bound=BaseModel)
_SHOWN_CHARACTERS = 60


def read_request(body: bytes, model: type[Asked]) -> Asked:
    """The request that `body` holds. Raises `UsageError` that names the field, what was given and what is expected."""
    content = parse_json(body)
    if not isinstance(content, dict):
        raise UsageError(f"body: expected a JSON object, got {_json_kind(content)}")
    return check_request(content, model)


def check_request(content: dict[str, Any], model: type[Asked]) -> Asked:
    """The request that these fields make. Raises `UsageError` as `read_request` does."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise UsageError(_explain(error.errors(include_url=False)[0], model)) from None


def parse_json(body: bytes) -> Any:
    """The value of one JSON document. Raises `UsageError` for repeated names, NaN and infinity, which other readers
    take otherwise or not at all, and for text that has no UTF-8."""
    try:
        content = json.loads(body.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_refuse_constant)
        if b"\\u" in body:  # the escapes of half a character
            json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise UsageError("body: not UTF-8 text") from None
    except RecursionError:
        raise UsageError("body: JSON is nested too deep") from None
    except ValueError as error:
        raise UsageError(f"body: not JSON: {error}") from None
    return content


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(repeated)} stands twice in one object")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    field = ".".join(map(str, error["loc"])) or "body"
    if error["type"] == "extra_forbidden":
        return f"{shown(field)}: unknown field; known: {', '.join(model.model_fields)}"
    if error["type"] == "missing":
        return f"{field}: missing"
    if error["type"] == "value_error":  # from a check of ours, which says all
        return f"{field}: {error['ctx']['error']}"
    message = error["msg"].removeprefix("Input should be ")
    return f"{field} = {shown(error['input'])}: expected {message}"


def shown(value: Any) -> str:
    """A given value in few characters."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _json_kind(value: Any) -> str:
    kinds = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
