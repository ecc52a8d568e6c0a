"""`bitquarry query --url`: the question goes to a running service; the answer is printed as a local one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ServiceRefused, UsageError

if TYPE_CHECKING:
    from pipeline.routing.search_answer import SearchAnswer
    from pipeline.search_client.search_client import QueryBy, SearchTerms
    from pipeline.search_client.service_answers import QueryAnswer

KEY_VARIABLE = "BITQUARRY_API_KEY"
_MISTAKES = range(400, 500)
_NOT_THE_ARGUMENTS = (401, 403, 408, 409, 429)


def query_service(url: str, key_file: Path | None, index: str, by: QueryBy, terms: SearchTerms) -> SearchAnswer:
    """The service's answer. Raises `UsageError` for what the caller got wrong, `ServiceRefused` and
    `ServiceUnreachable`."""
    from pipeline.search_client.search_client import SearchClient

    with SearchClient(url, api_key(key_file)) as client:
        try:
            return _as_local(client.query(index, by, terms))
        except ServiceRefused as refused:
            if refused.status in _MISTAKES and refused.status not in _NOT_THE_ARGUMENTS:
                raise UsageError(refused.detail) from None
            raise


def api_key(key_file: Path | None) -> str | None:
    """The key in the file, else that of the environment; None without either. Raises `UsageError`."""
    if key_file is None:
        return os.environ.get(KEY_VARIABLE) or None
    try:
        key = key_file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise UsageError(f"--api-key-file {key_file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--api-key-file {key_file}: expected one key, as `bitquarry keys add` printed it") from None
    if not key:
        raise UsageError(f"--api-key-file {key_file} is empty; expected one key")
    return key


def _as_local(answer: QueryAnswer) -> SearchAnswer:
    from pipeline.records import Coverage
    from pipeline.routing.search_answer import Neighbor, SearchAnswer

    return SearchAnswer(
        index=answer.index,
        generation=answer.generation,
        model_id=answer.model_id,
        num_bits=answer.num_bits,
        k=answer.k,
        neighbors=(tuple(Neighbor(**vars(hit)) for hit in answer.hits),),
        coverage=Coverage(
            rows_searched=answer.rows_searched, rows_total=answer.rows_total, failed_shards=answer.failed_shards
        ),
        timings_seconds={stage: value / 1000 for stage, value in answer.timing_ms.items()},
    )
