"""`FollowedChanges`: deletes and alias changes whose answer comes when the service itself has followed them."""

from __future__ import annotations

from pipeline.errors import StorageError, UsageError
from pipeline.search_api.answer_json import JsonObject
from pipeline.search_api.bounded_threads import BoundedThreads
from pipeline.search_api.index_changes import IndexChanges
from pipeline.search_api.query_request import AliasRequest, DeleteRequest
from pipeline.search_api.search_service import SearchService

# Changes of one index conflict with one another; a queue of them helps nobody.
_NUM_THREADS = 1
_MAX_WAITING = 16


class FollowedChanges:
    """`changes` to the indexes of `service`. For one event loop."""

    def __init__(self, service: SearchService, changes: IndexChanges) -> None:
        self._service = service
        self._changes = changes
        self._threads = BoundedThreads("changes", _NUM_THREADS, _MAX_WAITING)

    async def delete(self, asked: DeleteRequest) -> JsonObject:
        """Take items out. Raises `UsageError`, `UnknownName`, `ConflictError`, `StorageError`, `ServiceOverloaded`."""
        self._service.served(asked.index)
        if not asked.ids and not asked.keys:
            raise UsageError("expected ids or keys of items to delete, got neither")
        result = await self._threads.run(self._changes.delete, asked.index, asked.ids, asked.keys)
        await self._follow(asked.index, result.generation)
        return {
            "index": result.index,
            "generation": result.generation,
            "num_deleted": result.num_deleted,
            "not_found": list(result.not_found),
        }

    async def change_alias(self, asked: AliasRequest) -> JsonObject:
        """Point an alias elsewhere, or back. Raises as `delete` does."""
        served = self._service.served(asked.index)
        if asked.rollback == (asked.generation is not None):
            raise UsageError("expected either generation or rollback = true")
        if asked.generation is not None:
            generation = await self._threads.run(self._changes.set_alias, asked.index, asked.alias, asked.generation)
        else:
            generation = await self._threads.run(self._changes.rollback_alias, asked.index, asked.alias)
        if asked.alias == served.alias:
            await self._follow(asked.index, generation)
        return {"index": asked.index, "alias": asked.alias, "generation": generation}

    async def _follow(self, index: str, generation: str) -> None:
        """Raises `StorageError` when the service cannot open what the alias points at. Somebody may have moved the
        alias on meanwhile: then the service follows that."""
        served = self._service.served(index)
        await served.refresh()
        if served.live.generation != generation and served.live.trouble:
            raise StorageError(
                f"the change is made: alias {served.alias} of index {index} points at {generation}; but this service "
                f"goes on with {served.live.generation}: {served.live.trouble}"
            )

    def close(self) -> None:
        """Changes that run are finished; those that wait are given up."""
        self._threads.close()
