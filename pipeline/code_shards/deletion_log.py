"""`DeletionLog`: items of a collection that nobody shall find again, one create-only object per deletion."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.errors import CorruptFile, ObjectNotFound
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.sealed_json import seal, unseal
from pipeline.object_store.uri_path import join_uri

FORMAT_VERSION = 1
_REMEDY = "restore it from a backup: without it, items that were deleted would come back"


@dataclass(frozen=True, kw_only=True)
class DeletedItem:
    """A row of the code table; `content_sha256` in hex. The same bytes at the same `uri` are the same item, also when
    they are encoded again under another id."""

    id: int
    key: str
    uri: str
    content_sha256: str


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Items deleted at once. `table_version`: of the collection that their ids were looked up in."""

    table_version: int
    created_at: str
    items: tuple[DeletedItem, ...]


class DeletionLog:
    """The deletions of one collection. Nothing in it is ever changed, so what was read stays read."""

    def __init__(self, collection_uri: str, store: ObjectStore) -> None:
        self._home = join_uri(collection_uri, "deletions")
        self._store = store
        self._known: dict[str, Deletion] = {}

    def record(self, items: Sequence[DeletedItem], table_version: int) -> None:
        """Raises `StorageError`; then nothing is deleted."""
        now = datetime.now(UTC)
        deletion = Deletion(table_version=table_version, created_at=now.isoformat(), items=tuple(items))
        # The name is random: deletions of the same moment are all kept.
        uri = join_uri(self._home, f"{now:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(8)}.json")
        self._store.create(uri, seal({"format_version": FORMAT_VERSION, **asdict(deletion)}))

    def read(self) -> tuple[Deletion, ...]:
        """Every deletion, oldest first. Raises `CorruptFile` and `StorageError`."""
        try:
            uris = [info.uri for info in self._store.list(self._home) if info.uri.endswith(".json")]
        except ObjectNotFound:
            return ()
        for uri in uris:
            if uri not in self._known:
                self._known[uri] = self._read(uri)
        return tuple(self._known[uri] for uri in sorted(uris))

    def _read(self, uri: str) -> Deletion:
        try:
            content = unseal(self._store.read(uri), uri, format_version=FORMAT_VERSION, remedy=_REMEDY)
            del content["format_version"]
            items = tuple(DeletedItem(**item) for item in content.pop("items"))
            return Deletion(items=items, **content)
        except ObjectNotFound:
            raise CorruptFile(uri, "it is missing", _REMEDY) from None
        except (TypeError, KeyError) as error:
            raise CorruptFile(uri, f"fields are missing or unknown ({error})", _REMEDY) from None
