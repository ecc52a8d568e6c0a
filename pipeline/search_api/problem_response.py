"""Errors as answers: every refusal and failure leaves the service as `application/problem+json`."""

from __future__ import annotations

import json
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from operators.errors import OperatorError
from pipeline.errors import PipelineError
from pipeline.search_api.problems import MEDIA_TYPE, Problem, problem_of


def problem_response(problem: Problem, scope: Scope) -> Response:
    """The answer to the request of `scope`."""
    content = json.dumps(problem.to_json(request_id_of(scope)), ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, int(problem.status), dict(problem.headers), MEDIA_TYPE)


def request_id_of(scope: Scope) -> str:
    """As `RequestRecord` set it; "" before."""
    return str(scope.get("state", {}).get("request_id", ""))


def answer_errors(app: FastAPI) -> None:
    """Have every error that routes raise on purpose answered as a problem."""
    for kind in (PipelineError, OperatorError, TimeoutError):
        app.add_exception_handler(kind, _on_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


async def _on_error(request: Request, error: Exception) -> Response:
    return problem_response(problem_of(error), request.scope)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = error.detail if error.detail != status.phrase else status.description or status.phrase
    return problem_response(Problem(status=status, detail=detail, headers=error.headers or {}), request.scope)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    detail = f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"
    return problem_response(Problem(status=HTTPStatus.BAD_REQUEST, detail=detail), request.scope)


async def _on_disconnect(request: Request, error: Exception) -> Response:
    problem = Problem(status=HTTPStatus.BAD_REQUEST, detail="the body ended before it was complete")
    return problem_response(problem, request.scope)
