"""`json_response`: an answer that is written once, without FastAPI's models and encoders."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from pipeline.search_api.answer_json import to_json_bytes


def json_response(content: Any, status: int = 200) -> Response:
    """`content` as `to_json_bytes` writes it."""
    return Response(to_json_bytes(content), status, media_type="application/json")
