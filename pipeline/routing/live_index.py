"""`LiveIndex`: follows an alias while queries run; each query is answered by one generation from start to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from operators.errors import OperatorError
from operators.search.search_queries import SearchQueries
from pipeline.errors import PipelineError, SearchError
from pipeline.routing.query_batcher import BatchLimits, QueryBatcher, QueryTerms
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.search_answer import SearchAnswer, cut_answer
from pipeline.routing.search_session import SearchSession

_log = logging.getLogger(__name__)

OpenGeneration = Callable[[str, ExitStack], SearchSession]
"""(generation, what to undo when nobody uses it any more) -> its session; blocks while files are read."""


@dataclass(eq=False)
class ServedGeneration:
    """An open generation: `session`, and the batcher that its queries share."""

    name: str
    session: SearchSession
    batcher: QueryBatcher[SearchAnswer]
    closing: ExitStack = field(repr=False)
    num_users: int = 0
    retired: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)


class LiveIndex:
    """The generation that `follow` names (an alias, read anew at each `refresh`), opened by `open_generation`.

    A new one replaces the old when it is open; the old closes with its last query. One that cannot be opened never
    replaces a good one: `trouble` says why until a refresh succeeds. For one event loop.
    """

    def __init__(
        self, follow: Callable[[], str], open_generation: OpenGeneration, batches: BatchLimits | None = None
    ) -> None:
        self._follow = follow
        self._open_generation = open_generation
        self._batches = batches or BatchLimits()
        self._current: ServedGeneration | None = None
        self._refreshing = asyncio.Lock()
        self.trouble = "not opened yet"
        self.on_pass: Callable[[int], None] | None = None

    @property
    def num_waiting(self) -> int:
        """Queries that wait for a pass."""
        return self._current.batcher.num_waiting if self._current else 0

    @property
    def generation(self) -> str | None:
        """The one that answers new queries; None before the first is open."""
        return self._current.name if self._current else None

    @asynccontextmanager
    async def using(self) -> AsyncIterator[ServedGeneration]:
        """The generation for one query, which stays open until the block ends. Raises `SearchError` while there is
        none."""
        served = self._current
        if served is None:
            raise SearchError(f"no generation is open: {self.trouble}")
        served.num_users += 1
        try:
            yield served
        finally:
            served.num_users -= 1
            await _close_if_done(served)

    async def refresh(self) -> bool:
        """Look where the alias points and go there. True when another generation answers now."""
        async with self._refreshing:
            closing = ExitStack()
            try:
                wanted = await asyncio.to_thread(self._follow)
                if wanted == self.generation:
                    self.trouble = ""
                    return False
                session = await asyncio.to_thread(self._open_generation, wanted, closing)
            except (PipelineError, OperatorError) as error:
                await asyncio.to_thread(closing.close)
                self._say_trouble(f"{type(error).__name__}: {error}")
                return False
            await self._replace(ServedGeneration(wanted, session, self._batcher(session), closing))
            return True

    async def close(self) -> None:
        """Answer what is asked already, then close. Later queries find nothing open."""
        self.trouble = "closed"
        served, self._current = self._current, None
        if served is not None:
            await _retire(served)
            await served.closed.wait()

    def _batcher(self, session: SearchSession) -> QueryBatcher[SearchAnswer]:
        return QueryBatcher(partial(_ask, session.router), cut_answer, self._batches, self._pass_is_made)

    def _pass_is_made(self, num_queries: int) -> None:
        if self.on_pass is not None:
            self.on_pass(num_queries)

    async def _replace(self, fresh: ServedGeneration) -> None:
        old, self._current = self._current, fresh
        self.trouble = ""
        _log.info("generation %s answers now, after %s", fresh.name, old.name if old else "none")
        if old is not None:
            await _retire(old)

    def _say_trouble(self, trouble: str) -> None:
        self.trouble = trouble
        _log.error("generation %s goes on, another cannot be opened: %s", self.generation, trouble)


def _ask(router: QueryRouter, queries: SearchQueries, k: int, terms: QueryTerms) -> SearchAnswer:
    return router.search(
        queries, k=k, scope=terms.scope, allow_partial=terms.allow_partial, with_payload=terms.with_payload
    )


async def _retire(served: ServedGeneration) -> None:
    served.retired = True
    await _close_if_done(served)


async def _close_if_done(served: ServedGeneration) -> None:
    if served.retired and served.num_users == 0:
        served.retired = False  # once
        await served.batcher.drain()
        await asyncio.to_thread(served.closing.close)
        served.closed.set()
