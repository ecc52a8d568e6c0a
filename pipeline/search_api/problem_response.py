"""Errors as answers: every refusal and failure leaves the service as `application/problem+json`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from operators.errors import OperatorError
from pipeline.errors import PipelineError
from pipeline.search_api.problems import MEDIA_TYPE, Problem, problem_of
from pipeline.search_api.service_limits import DEFAULT_LIMITS

_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def problem_response(problem: Problem, scope: Scope) -> Response:
    """The answer to the request of `scope`."""
    content = json.dumps(problem.to_json(request_id_of(scope)), ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, int(problem.status), dict(problem.headers), MEDIA_TYPE)


def request_id_of(scope: Scope) -> str:
    """As `RequestRecord` set it; "" before."""
    return str(scope.get("state", {}).get("request_id", ""))


def answer_errors(app: FastAPI, *, retry_seconds: int = DEFAULT_LIMITS.retry_seconds) -> None:
    """Have every error that routes raise on purpose answered as a problem; who is turned away for now is told to wait
    `retry_seconds`."""

    def answering(problem_from: Callable[[Any], Problem]) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def answer(request: Request, error: Exception) -> Response:
            problem = problem_from(error)
            if problem.status in _LATER:
                problem = replace(problem, headers={**problem.headers, "Retry-After": str(retry_seconds)})
            return problem_response(problem, request.scope)

        return answer

    for kind in (PipelineError, OperatorError, TimeoutError):
        app.add_exception_handler(kind, answering(problem_of))
    app.add_exception_handler(HTTPException, answering(_of_http_exception))
    app.add_exception_handler(RequestValidationError, answering(_of_validation_error))
    app.add_exception_handler(ClientDisconnect, answering(_of_disconnect))


def _of_http_exception(error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    detail = error.detail if error.detail != status.phrase else status.description or status.phrase
    return Problem(status=status, detail=detail, headers=error.headers or {})


def _of_validation_error(error: RequestValidationError) -> Problem:
    """For routes that let FastAPI read their parameters."""
    first = error.errors()[0]
    return Problem(status=HTTPStatus.BAD_REQUEST, detail=f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")


def _of_disconnect(_: ClientDisconnect) -> Problem:
    return Problem(status=HTTPStatus.BAD_REQUEST, detail="the body ended before it was complete")
