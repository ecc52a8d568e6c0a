"""The service's log as JSON, one object per line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

REQUESTS = "bitquarry.access"
"""Logger of one line per request; its records carry the attribute `request`, a JSON object."""


class JsonLines(logging.Formatter):
    """`time` (UTC, ISO 8601), `level`, `logger` and `message`; of a request also its facts; `exception` if any."""

    def format(self, record: logging.LogRecord) -> str:
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=False, default=str)


@contextmanager
def structured_log(stream: TextIO) -> Iterator[None]:
    """While the block lasts, the log goes to `stream` as JSON, with a line for every request."""
    root, requests = logging.getLogger(), logging.getLogger(REQUESTS)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    before, level = root.handlers[:], requests.level
    root.handlers = [handler]
    requests.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers = before
        requests.setLevel(level)
