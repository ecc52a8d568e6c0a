"""`ServiceLimits`: what one caller, and all callers together, may take of the service."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pipeline.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ServiceLimits:
    """`docs/serving.md` has the same table with what a caller is told. Raises `UsageError` unless all are above 0.

    `max_body_bytes` of one request, `max_bodies_bytes` of all that are held at once. `max_k` neighbours per query,
    `max_batch` queries of one request, `max_answer_hits` of all its queries together. `max_waiting` queries and
    `max_waiting_pictures` in the queues. `num_encoding` threads that decode and encode pictures. `retry_seconds`: what
    a caller who is turned away is told to wait. `header_seconds`, `body_seconds` and `request_seconds` are deadlines of
    one request; `keep_alive_seconds` may pass between two of a connection.
    """

    max_body_bytes: int = 16 * 2**20
    max_bodies_bytes: int = 256 * 2**20
    max_k: int = 1000
    max_batch: int = 256
    max_answer_hits: int = 25_600
    max_pixels: int = 40_000_000
    request_seconds: float = 30.0
    header_seconds: float = 10.0
    body_seconds: float = 20.0
    keep_alive_seconds: float = 30.0
    max_header_bytes: int = 32 * 2**10
    max_connections: int = 1024
    max_waiting: int = 2048
    max_waiting_pictures: int = 256
    num_encoding: int = 2
    retry_seconds: int = 1

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not value > 0:
                raise UsageError(f"{each.name} = {value!r}: expected more than 0")


DEFAULT_LIMITS = ServiceLimits()
