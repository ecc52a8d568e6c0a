"""`QueryPreparer`: what a caller gave (a picture, a code, an item) as the search takes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from operators.binary_codes import BinaryCodes
from operators.search.search_queries import SearchQueries
from pipeline.errors import ModelMismatch, PipelineError, SearchError, UnknownName, UsageError
from pipeline.routing.query_encoder import QueryEncoder
from pipeline.routing.search_session import SearchSession
from pipeline.search_api.bounded_threads import BoundedThreads
from pipeline.search_api.query_request import QueryBy
from pipeline.search_api.query_terms import decode_base64, given_field, parse_code
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
        self._encoding = BoundedThreads("encoding", limits.num_encoding, limits.max_waiting_pictures)
        self._lookups = BoundedThreads("lookup", _LOOKUP_THREADS, limits.max_waiting)

    async def prepare(self, session: SearchSession, asked: QueryBy) -> PreparedQuery:
        """Raises `UsageError`, `UnknownItem`, `SearchError`, `ServiceOverloaded`, and what `encode_image` raises."""
        given = given_field(asked)
        if given == "code":
            return prepared_code(session, parse_code(str(asked.code), session.manifest))
        if given == "image_b64":
            return await self.prepare_image(session, str(asked.image_b64))
        return await self._lookups.run(_look_up, session, asked)

    async def prepare_image(self, session: SearchSession, image: bytes | str) -> PreparedQuery:
        """A picture file, or its base64. Raises `UsageError`, `UndecodableMedia`, `MediaTooLarge`, `NonFiniteFeatures`,
        `SearchError` when the index's model cannot be had, and `ServiceOverloaded`."""
        return await self._encoding.run(_encode, session, image)

    async def prepare_all(
        self, session: SearchSession, asked: Sequence[QueryBy]
    ) -> list[PreparedQuery | PipelineError]:
        """Each query, or what is wrong with it. Raises `SearchError` and `ServiceOverloaded`, which concern all."""
        pictures = [row for row, each in enumerate(asked) if each.image_b64 is not None and _is_single(each)]
        others = [row for row in range(len(asked)) if row not in set(pictures)]
        prepared = dict(
            zip(others, await asyncio.gather(*(self._try(session, asked[row]) for row in others)), strict=True)
        )
        if pictures:
            images = [str(asked[row].image_b64) for row in pictures]
            prepared.update(zip(pictures, await self._encoding.run(_encode_all, session, images), strict=True))
        return [prepared[row] for row in range(len(asked))]

    async def _try(self, session: SearchSession, asked: QueryBy) -> PreparedQuery | PipelineError:
        try:
            return await self.prepare(session, asked)
        except UsageError as error:
            return error

    async def look_up(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """What a call that waits for searchers gives. Raises what it raises, and `ServiceOverloaded`."""
        return await self._lookups.run(call, *arguments)

    async def encode_all(self, session: SearchSession, images: Sequence[str]) -> list[PreparedQuery | PipelineError]:
        """The query of each picture in base64, or what is wrong with it. Raises `SearchError`, `ServiceOverloaded`."""
        return await self._encoding.run(_encode_all, session, images)

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


def _encode(session: SearchSession, image: bytes | str) -> PreparedQuery:
    encoder = _encoder_of(session)
    started = time.perf_counter()
    pixels = encoder.decode(decode_base64(image, "image_b64") if isinstance(image, str) else image)
    decoded = time.perf_counter()
    queries = encoder.encode_pixels(pixels)
    seconds = {"decode": decoded - started, "encode": time.perf_counter() - decoded}
    return PreparedQuery(queries=queries, code_hex=_hex(queries), seconds=seconds)


def _encode_all(session: SearchSession, images: Sequence[str]) -> list[PreparedQuery | PipelineError]:
    """Pictures in base64, all at once through the model."""
    wrong: dict[int, PipelineError] = {}
    given: list[bytes | None] = []
    for row, text in enumerate(images):
        try:
            given.append(decode_base64(text, "image_b64"))
        except UsageError as error:
            wrong[row] = error
            given.append(None)
    encoded = _encoder_of(session).encode_images(given)
    places = {int(row): slice(place, place + 1) for place, row in enumerate(encoded.rows)}
    return [
        _prepared(encoded.queries[places[row]])
        if row in places
        else wrong.get(row, UsageError(encoded.rejects.get(row, "no picture")))
        for row in range(len(images))
    ]


def _encoder_of(session: SearchSession) -> QueryEncoder:
    """Raises `SearchError`: that the catalog lacks the index's model is no mistake of the caller."""
    try:
        return session.encoder
    except (UnknownName, ModelMismatch) as error:
        raise SearchError(f"index {session.manifest.index} answers codes and items only: {error}") from None


def _prepared(queries: SearchQueries) -> PreparedQuery:
    return PreparedQuery(queries=queries, code_hex=_hex(queries))


def _hex(queries: SearchQueries) -> str | None:
    return queries.to_hex()[0] if isinstance(queries, BinaryCodes) else None


def _is_single(asked: QueryBy) -> bool:
    return asked.code is None and asked.id is None and asked.key is None
