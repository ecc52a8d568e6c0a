"""`Problem`: an error as HTTP says it (RFC 9457, `application/problem+json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from operators.errors import MediaTooLarge, OperatorError, SearchCancelled
from pipeline.errors import (
    ConflictError,
    CorruptFile,
    PipelineError,
    SearchError,
    ServiceOverloaded,
    StorageError,
    UnknownItem,
    UnknownName,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"

# The first that fits counts: subclasses stand before their bases.
_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (UnknownName, HTTPStatus.NOT_FOUND),
    (UnknownItem, HTTPStatus.NOT_FOUND),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (ConflictError, HTTPStatus.CONFLICT),
    (ServiceOverloaded, HTTPStatus.SERVICE_UNAVAILABLE),
    (SearchError, HTTPStatus.SERVICE_UNAVAILABLE),
    (StorageError, HTTPStatus.SERVICE_UNAVAILABLE),
    (CorruptFile, HTTPStatus.SERVICE_UNAVAILABLE),
    (MediaTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (SearchCancelled, HTTPStatus.SERVICE_UNAVAILABLE),
    (OperatorError, HTTPStatus.BAD_REQUEST),
    (TimeoutError, HTTPStatus.GATEWAY_TIMEOUT),
)
_RETRY_SECONDS = "1"
_MAX_DETAIL = 2000


@dataclass(frozen=True, kw_only=True)
class Problem:
    """`detail`: what was given, what was expected, what to do. `headers` go with the answer."""

    status: HTTPStatus
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, request_id: str) -> dict[str, str | int]:
        """The body, by the names of RFC 9457 and `request_id`."""
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "request_id": request_id,
        }


def problem_of(error: Exception) -> Problem:
    """What a caller is told of an error. One that nobody foresaw is a 500 that keeps its text to the log: it may name
    paths."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), None)
    if status is None and not isinstance(error, PipelineError):
        return Problem(
            status=HTTPStatus.INTERNAL_SERVER_ERROR,
            detail="the service failed; its log has more under the request's id",
        )
    status = status or HTTPStatus.INTERNAL_SERVER_ERROR
    headers = {"Retry-After": _RETRY_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    detail = _said(error)[:_MAX_DETAIL] or status.description
    return Problem(status=status, detail=detail, headers=headers)


def _said(error: Exception) -> str:
    """Its own words, but for those that name a setting which is not the caller's."""
    if isinstance(error, MediaTooLarge):
        return f"{error.given:,} {error.quantity}: this service takes pictures of up to {error.limit:,}"
    return str(error)
