"""The OpenAPI document: request bodies that routes read themselves, and the refusals that every route shares."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pipeline.search_api.problems import MEDIA_TYPE

_REF = "#/components/schemas/{model}"
_PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was given, what was expected, what to do."},
        "request_id": {"type": "string", "description": "The service's log has the same."},
    },
}
# What the layers around the routes may answer to anything.
_EVERYWHERE = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_WITH_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
Responses = dict[int | str, dict[str, Any]]


def answers(model: Any, *refusals: HTTPStatus) -> Responses:
    """A JSON answer and these refusals."""
    return {200: {"model": model}, **problems(*refusals)}


def body_answers(model: Any) -> Responses:
    """A JSON answer and what can be wrong with a body."""
    return answers(model, *_WITH_BODY)


def problems(*refusals: HTTPStatus) -> Responses:
    """Refusals, with those that every route may give."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {
        int(status): {"description": status.phrase, "content": content} for status in sorted({*refusals, *_EVERYWHERE})
    }


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """A required JSON body."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def document(app: FastAPI, requests: Sequence[type[BaseModel]], *, with_keys: bool) -> dict[str, Any]:
    """OpenAPI 3.1 of all routes. Made once, then kept."""
    if app.openapi_schema is None:
        content = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version="3.1.0",
            description=app.description,
            routes=app.routes,
        )
        _, bodies = models_json_schema([(model, "validation") for model in requests], ref_template=_REF)
        components = content.setdefault("components", {})
        _forget_validation_by_fastapi(content)
        components["schemas"] = {
            **components.get("schemas", {}),
            **bodies["$defs"],
            "Problem": _PROBLEM_SCHEMA,
        }
        if with_keys:
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            content["security"] = [{"key": []}]
        app.openapi_schema = content
    return app.openapi_schema


def _forget_validation_by_fastapi(content: dict[str, Any]) -> None:
    """FastAPI writes an answer 422 to every route with a parameter; nothing here gives it."""
    for operations in content["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        content["components"]["schemas"].pop(name, None)
