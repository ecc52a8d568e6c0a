"""The log as JSON."""

from __future__ import annotations

import io
import json
import logging

from pipeline.search_api.structured_log import REQUESTS, structured_log


def test_every_record_is_one_json_line() -> None:
    stream = io.StringIO()
    with structured_log(stream):
        logging.getLogger(REQUESTS).info("GET /healthz: 200", extra={"request": {"request_id": "a", "status": 200}})
        try:
            raise RuntimeError("two\nlines")
        except RuntimeError:
            logging.getLogger("pipeline.x").exception("it failed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["request_id"], first["status"], first["level"]) == ("a", 200, "INFO")
    assert first["time"].endswith("+00:00")
    assert second["logger"] == "pipeline.x"
    assert "two\nlines" in second["exception"]


def test_afterwards_the_log_is_as_it_was() -> None:
    before = logging.getLogger().handlers[:], logging.getLogger(REQUESTS).level
    with structured_log(io.StringIO()):
        pass
    assert (logging.getLogger().handlers, logging.getLogger(REQUESTS).level) == before
