"""`QueryPreparer`: what a caller gave (a picture, a code, an item) as the search takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from operators.binary_codes import BinaryCodes
from operators.search.search_queries import SearchQueries
from pipeline.errors import PipelineError, UsageError
from pipeline.routing.query_encoder import EncodedImages
from pipeline.routing.search_session import SearchSession
from pipeline.search_api.bounded_threads import BoundedThreads
from pipeline.search_api.query_request import QueryBy
from pipeline.search_api.query_terms import check_limit, decode_base64, given_field, parse_code
from pipeline.search_api.service_limits import ServiceLimits

Result = TypeVar("Result")
# Item look-ups wait for searchers, they do not compute.
_LOOKUP_THREADS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedQuery:
    """One query. `item_id`: the indexed item that it is. `code_hex`: its code, None where codes are quantized and the
    query is none of the index's codes."""

    queries: SearchQueries
    item_id: int | None = None
    code_hex: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


class QueryPreparer:
    """Pictures are decoded in threads of their own, so that they do not hold up other queries. For one event loop."""

    def __init__(self, limits: ServiceLimits) -> None:
        self._limits = limits
        self._encoding = BoundedThreads("encoding", limits.num_encoding, limits.max_waiting_pictures)
        self._lookups = BoundedThreads("lookup", _LOOKUP_THREADS, limits.max_waiting)

    async def prepare(self, session: SearchSession, asked: QueryBy) -> PreparedQuery:
        """Raises `UsageError`, `UnknownItem`, `SearchError`, `ServiceOverloaded`, and what `encode_image` raises."""
        given = given_field(asked)
        if given == "code":
            return prepared_code(session, parse_code(str(asked.code), session.manifest))
        if given == "image_b64":
            return await self.prepare_image(session, decode_base64(str(asked.image_b64), "image_b64"))
        return await self._lookups.run(_look_up, session, asked)

    async def prepare_image(self, session: SearchSession, image: bytes) -> PreparedQuery:
        """Raises `UndecodableMedia`, `MediaTooLarge`, `NonFiniteFeatures`, and `ServiceOverloaded`."""
        return await self._encoding.run(_encode, session, image)

    async def prepare_all(
        self, session: SearchSession, asked: Sequence[QueryBy]
    ) -> list[PreparedQuery | PipelineError]:
        """Each query, or what is wrong with it."""
        check_limit("queries", len(asked), self._limits.max_batch)
        pictures: dict[int, bytes] = {}
        prepared: dict[int, PreparedQuery | PipelineError] = {}
        for row, each in enumerate(asked):
            try:
                if given_field(each) == "image_b64":
                    pictures[row] = decode_base64(str(each.image_b64), "image_b64")
                else:
                    prepared[row] = await self.prepare(session, each)
            except UsageError as error:
                prepared[row] = error
        if pictures:
            encoded = await self.encode_all(session, list(pictures.values()))
            prepared.update(zip(pictures, _each(session, encoded), strict=True))
        return [prepared[row] for row in range(len(asked))]

    async def look_up(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """What a call that waits for searchers gives. Raises what it raises, and `ServiceOverloaded`."""
        return await self._lookups.run(call, *arguments)

    async def encode_all(self, session: SearchSession, images: Sequence[bytes]) -> EncodedImages:
        """Raises `ServiceOverloaded`."""
        return await self._encoding.run(lambda: session.encoder.encode_images(images))

    def close(self) -> None:
        self._encoding.close()
        self._lookups.close()


def prepared_code(session: SearchSession, codes: BinaryCodes, item_id: int | None = None) -> PreparedQuery:
    """The query of one code."""
    return PreparedQuery(queries=session.queries_of(codes), item_id=item_id, code_hex=codes.to_hex()[0])


def _look_up(session: SearchSession, asked: QueryBy) -> PreparedQuery:
    item_id = session.router.id_of_key(asked.key) if asked.id is None and asked.key is not None else asked.id
    if item_id is None:
        raise UsageError("expected an id or a key")
    return prepared_code(session, session.router.code_of(item_id), item_id)


def _encode(session: SearchSession, image: bytes) -> PreparedQuery:
    started = time.perf_counter()
    queries = session.encoder.encode_image(image)
    seconds = {"encode": time.perf_counter() - started}
    return PreparedQuery(queries=queries, code_hex=_hex(queries), seconds=seconds)


def _each(session: SearchSession, encoded: EncodedImages) -> list[PreparedQuery | PipelineError]:
    places = {int(row): place for place, row in enumerate(encoded.rows)}
    num_images = len(places) + len(encoded.rejects)
    result: list[PreparedQuery | PipelineError] = []
    for row in range(num_images):
        if row in encoded.rejects:
            result.append(UsageError(encoded.rejects[row]))
        else:
            queries = encoded.queries[slice(places[row], places[row] + 1)]
            result.append(PreparedQuery(queries=queries, code_hex=_hex(queries)))
    return result


def _hex(queries: SearchQueries) -> str | None:
    return queries.to_hex()[0] if isinstance(queries, BinaryCodes) else None
