"""`AliasLog`: which generation of an index a name such as `live` points at, with its history.

Each change is one create-only object `<number:08d>.json`; the highest number counts. Each record names the record it
would fall back to, so that rolling back twice goes back two changes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.errors import ConflictError, CorruptFile, ObjectExists, ObjectNotFound, UsageError
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.sealed_json import seal, unseal
from pipeline.object_store.uri_path import join_uri
from pipeline.shard_index.index_name import check_name

FORMAT_VERSION = 1
_ATTEMPTS = 10


@dataclass(frozen=True, kw_only=True)
class AliasRecord:
    """Change `number` (from 1) of an alias. `previous`: the number a rollback returns to, None for the first.

    `change_id` is random: the store tells our own record from another writer's by its bytes.
    """

    index: str
    alias: str
    number: int
    generation: str
    previous: int | None
    created_at: str
    change_id: str


class AliasLog:
    """The changes of one alias of one index. Raises `UsageError` for names that are no names."""

    def __init__(self, catalog: str, store: ObjectStore, index: str, alias: str) -> None:
        self._home = join_uri(catalog, "aliases", check_name("index", index), check_name("alias", alias))
        self._store = store
        self._index = index
        self._alias = alias

    def history(self) -> tuple[AliasRecord, ...]:
        """Every change, oldest first; empty when the alias was never set. Raises `CorruptFile`."""
        return tuple(self.read(number) for number in self._numbers())

    def head(self) -> AliasRecord | None:
        """The change that counts now; None when the alias was never set."""
        numbers = self._numbers()
        return self.read(numbers[-1]) if numbers else None

    def point_at(self, generation: str) -> AliasRecord:
        """Make the alias point at a generation; a no-op when it does already. Raises `ConflictError` when others keep
        changing it. The caller has checked that the generation exists."""
        return self.move(lambda head: generation)

    def move(self, make: Callable[[AliasRecord | None], str]) -> AliasRecord:
        """Point at the generation that `make` gives, if the alias is still as `make` was told; otherwise ask `make`
        again, so that no change of somebody else is lost. Raises what `make` raises, and `ConflictError` when others
        keep changing the alias."""
        for _ in range(_ATTEMPTS):
            head = self.head()
            generation = make(head)
            if head is not None and head.generation == generation:
                return head
            record = self._record_after(head, generation, head.number if head else None)
            if self._create(record):
                return record
        raise self._conflict()

    def rollback(self) -> AliasRecord:
        """Point at the generation before the current one. Raises `UsageError` when there is none, `ConflictError` when
        somebody else changes the alias at the same moment."""
        head = self.head()
        if head is None:
            raise UsageError(f"alias {self._alias} of index {self._index} was never set; there is nothing to roll back")
        if head.previous is None:
            raise UsageError(
                f"alias {self._alias} of index {self._index} points at its first generation {head.generation}; "
                "there is nothing to roll back to"
            )
        target = self.read(head.previous)
        record = self._record_after(head, target.generation, target.previous)
        if not self._create(record):
            raise self._conflict()
        return record

    def _record_after(self, head: AliasRecord | None, generation: str, previous: int | None) -> AliasRecord:
        return AliasRecord(
            index=self._index,
            alias=self._alias,
            number=head.number + 1 if head else 1,
            generation=generation,
            previous=previous,
            created_at=datetime.now(UTC).isoformat(),
            change_id=secrets.token_hex(8),
        )

    def _create(self, record: AliasRecord) -> bool:
        """Whether the record is now in the store; False when another writer took its number."""
        try:
            self._store.create(self._uri(record.number), seal({"format_version": FORMAT_VERSION, **asdict(record)}))
        except ObjectExists:
            return False
        return True

    def _numbers(self) -> list[int]:
        try:
            names = [info.uri.rsplit("/", 1)[-1] for info in self._store.list(self._home)]
        except ObjectNotFound:
            return []
        stems = [name.removesuffix(".json") for name in names]
        return sorted(int(stem) for stem in stems if len(stem) == 8 and stem.isdecimal())

    def read(self, number: int) -> AliasRecord:
        """Change `number`. Raises `CorruptFile`."""
        uri = self._uri(number)
        remedy = f"point it again: bitquarry alias set --index {self._index} --alias {self._alias}"
        try:
            content = unseal(self._store.read(uri), uri, format_version=FORMAT_VERSION, remedy=remedy)
            del content["format_version"]
            return AliasRecord(**content)
        except ObjectNotFound:
            raise CorruptFile(uri, "it is missing", remedy) from None
        except TypeError as error:
            raise CorruptFile(uri, f"fields are missing or unknown ({error})", remedy) from None

    def _uri(self, number: int) -> str:
        return join_uri(self._home, f"{number:08d}.json")

    def _conflict(self) -> ConflictError:
        return ConflictError(
            f"alias {self._alias} of index {self._index} was changed by somebody else at the same moment; "
            "look at it with `bitquarry alias list` and try again"
        )
