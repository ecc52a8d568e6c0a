"""`IndexCatalog`: which indexes, generations and aliases a catalog holds."""

from __future__ import annotations

from pipeline.errors import CorruptFile, ObjectNotFound, UnknownName
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri
from pipeline.shard_index.alias import AliasLog, AliasRecord
from pipeline.shard_index.index_manifest import MANIFEST_NAME, IndexManifest, generation_uri, rebuild_remedy
from pipeline.shard_index.index_name import check_name


class IndexCatalog:
    """Read-only, but for `point_alias` and `rollback_alias`. Uncommitted generations do not exist for it."""

    def __init__(self, catalog: str, store: ObjectStore) -> None:
        self._catalog = catalog
        self._store = store

    def index_names(self) -> tuple[str, ...]:
        """Indexes with at least one committed generation, by name."""
        return tuple(sorted({path[0] for path in self._manifest_paths("indexes", 3)}))

    def generations(self, index: str) -> tuple[str, ...]:
        """Committed generations, oldest first."""
        paths = self._manifest_paths(join_uri("indexes", check_name("index", index)), 2)
        return tuple(sorted(path[0] for path in paths))

    def manifest(self, index: str, generation: str) -> IndexManifest:
        """Raises `UnknownName`, and `CorruptFile` for a manifest that does not check or belongs elsewhere."""
        check_name("index", index)
        uri = join_uri(generation_uri(self._catalog, index, check_name("generation", generation)), MANIFEST_NAME)
        try:
            data = self._store.read(uri)
        except ObjectNotFound:
            raise UnknownName("generation", f"{index}/{generation}", self.generations(index)) from None
        manifest = IndexManifest.from_bytes(data, uri, index)
        if (manifest.index, manifest.generation) != (index, generation):
            wrong = f"it belongs to {manifest.index}/{manifest.generation}"
            raise CorruptFile(uri, wrong, rebuild_remedy(index))
        return manifest

    def resolve(self, index: str, alias: str) -> IndexManifest:
        """The generation that an alias points at now. Raises `UnknownName` for an unknown index or alias."""
        head = self.alias_log(index, alias).head()
        if head is not None:
            return self.manifest(index, head.generation)
        if not self.generations(index):
            raise UnknownName("index", index, self.index_names())
        raise UnknownName("alias", f"{alias} of index {index}", tuple(self.aliases(index)))

    def alias_log(self, index: str, alias: str) -> AliasLog:
        return AliasLog(self._catalog, self._store, index, alias)

    def aliases(self, index: str) -> dict[str, AliasRecord]:
        """Every alias of an index with the change that counts now."""
        paths = self._paths(join_uri("aliases", check_name("index", index)))
        names = sorted({path[0] for path in paths if len(path) == 2})
        heads = {name: self.alias_log(index, name).head() for name in names}
        return {name: head for name, head in heads.items() if head is not None}

    def point_alias(self, index: str, alias: str, generation: str) -> AliasRecord:
        """Switch an alias to a generation that exists and whose manifest checks."""
        self.manifest(index, generation)
        return self.alias_log(index, alias).point_at(generation)

    def rollback_alias(self, index: str, alias: str) -> AliasRecord:
        """Switch back by one change, after checking that the older generation is still there."""
        log = self.alias_log(index, alias)
        head = log.head()
        if head is not None and head.previous is not None:
            self.manifest(index, log.read(head.previous).generation)
        return log.rollback()

    def _manifest_paths(self, folder: str, depth: int) -> list[tuple[str, ...]]:
        paths = self._paths(folder)
        return [path for path in paths if len(path) == depth and path[-1] == MANIFEST_NAME]

    def _paths(self, folder: str) -> list[tuple[str, ...]]:
        """Paths of all objects below a folder of the catalog, in parts."""
        home = join_uri(self._catalog, folder)
        try:
            uris = [info.uri for info in self._store.list(home)]
        except ObjectNotFound:
            return []
        return [tuple(uri.removeprefix(home).lstrip("/").split("/")) for uri in uris]
