"""`plan_pruning` and `prune`: generations that nobody can ask for any more are removed, with the files that go with
them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.errors import ConflictError, ObjectNotFound, UnknownName, UsageError
from pipeline.object_store.object_store import ObjectInfo, ObjectStore
from pipeline.object_store.uri_path import join_uri, scheme_of
from pipeline.shard_index.alias import AliasLog, AliasRecord
from pipeline.shard_index.generation_draft import generation_time
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import MANIFEST_NAME, IndexManifest, generation_uri

_LARGEST = 1_000_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class PruningRule:
    """What stays: generations that an alias points at; those that `num_rollbacks` rollbacks of an alias reach; and
    those made, or left by an alias, less than `grace_hours` ago. The grace must be longer than a build takes, and than
    services need to follow an alias. Raises `UsageError` for numbers below 0 or over a million."""

    num_rollbacks: int = 1
    grace_hours: float = 24.0

    def __post_init__(self) -> None:
        for name, number in (("rollbacks", self.num_rollbacks), ("grace_hours", self.grace_hours)):
            if not 0 <= number <= _LARGEST:
                raise UsageError(f"{name} = {number}: expected a number from 0 to {_LARGEST:,}")


@dataclass(frozen=True, kw_only=True)
class PruningPlan:
    """`kept` and `removed` generations, oldest first. `files`: those that no kept generation names, of removed ones and
    of builds that never ended. A removed generation's files stay as long as a kept one shares them."""

    index: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    files: tuple[ObjectInfo, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def plan_pruning(
    store: ObjectStore, catalog: str, index: str, rule: PruningRule, *, now: datetime | None = None
) -> PruningPlan:
    """What `prune` would remove; changes nothing. Raises `UnknownName` for an unknown index, and `CorruptFile` where an
    alias or the manifest of a generation that stays cannot be read: then nobody knows what it needs."""
    indexes = IndexCatalog(catalog, store)
    generations = indexes.generations(index)
    if not generations:
        raise UnknownName("index", index, indexes.index_names())
    names = indexes.aliases(index)
    reachable, left_at = _reachable([indexes.alias_log(index, name) for name in names], rule.num_rollbacks)
    grace_began = (now or datetime.now(UTC)) - timedelta(hours=rule.grace_hours)

    def spent(generation: str) -> bool:
        """Whether it may go. A name that no build gave is somebody else's, and stays."""
        made = generation_time(generation)
        if made is None or generation in reachable:
            return False
        return max(made, left_at.get(generation, _LONG_AGO)) <= grace_began

    kept = [generation for generation in generations if not spent(generation)]
    needed = {uri for name in kept for uri in _uris_of(catalog, indexes.manifest(index, name))}
    files = (file for file in _files(store, catalog, index) if file.uri not in needed)
    return PruningPlan(
        index=index,
        kept=tuple(kept),
        removed=tuple(generation for generation in generations if spent(generation)),
        files=tuple(file for file in files if spent(_generation_of(catalog, index, file.uri))),
    )


def prune(store: ObjectStore, catalog: str, plan: PruningPlan) -> None:
    """Remove what the plan names: manifests first, so that a kill leaves no generation that lacks files; the same plan
    made again removes the rest.

    Raises `ConflictError`, with every generation as it was, when an alias was pointed at one of them meanwhile.
    """
    indexes = IndexCatalog(catalog, store)
    manifests = {uri: store.read(uri) for uri in (_manifest_uri(catalog, plan.index, name) for name in plan.removed)}
    for uri in manifests:
        store.delete(uri)
    for alias, record in indexes.aliases(plan.index).items():
        if record.generation in plan.removed:
            for uri, data in manifests.items():
                store.create(uri, data)
            raise ConflictError(
                f"alias {alias} of index {plan.index} was pointed at generation {record.generation}, which was about "
                "to be removed; nothing was; run the same command again"
            )
    for file in plan.files:
        store.delete(file.uri)
    if not scheme_of(catalog):
        _remove_empty_folders(store, catalog, plan)


def _reachable(logs: Iterable[AliasLog], num_rollbacks: int) -> tuple[set[str], dict[str, datetime]]:
    """Generations that aliases point at now or after some rollbacks, and when an alias last left a generation."""
    reachable: set[str] = set()
    left_at: dict[str, datetime] = {}
    for log in logs:
        history = {record.number: record for record in log.history()}
        numbers = sorted(history)
        for number, following in itertools.pairwise(numbers):
            generation, left = history[number].generation, datetime.fromisoformat(history[following].created_at)
            left_at[generation] = max(left, left_at.get(generation, _LONG_AGO))
        reachable.update(record.generation for record in _rollbacks(history, num_rollbacks))
    return reachable, left_at


def _rollbacks(history: dict[int, AliasRecord], num_rollbacks: int) -> Iterator[AliasRecord]:
    """The record that counts now, and those that so many rollbacks return to."""
    record = history[max(history)]
    yield record
    for _ in range(num_rollbacks):
        if record.previous is None:
            return
        record = history[record.previous]
        yield record


def _uris_of(catalog: str, manifest: IndexManifest) -> Iterator[str]:
    """Every file that a generation needs, in its own folder or in those of others."""
    home = generation_uri(catalog, manifest.index, manifest.generation)
    yield join_uri(home, MANIFEST_NAME)
    if manifest.deleted is not None:
        yield join_uri(home, manifest.deleted.name)
    for shard in manifest.shards:
        shard_home = generation_uri(catalog, manifest.index, manifest.home_of(shard))
        for file in shard.files:
            yield join_uri(shard_home, file.name)


def _files(store: ObjectStore, catalog: str, index: str) -> Iterator[ObjectInfo]:
    try:
        yield from store.list(join_uri(catalog, "indexes", index))
    except ObjectNotFound:
        return


def _generation_of(catalog: str, index: str, uri: str) -> str:
    return uri.removeprefix(join_uri(catalog, "indexes", index)).lstrip("/").split("/")[0]


def _manifest_uri(catalog: str, index: str, generation: str) -> str:
    return join_uri(generation_uri(catalog, index, generation), MANIFEST_NAME)


def _remove_empty_folders(store: ObjectStore, catalog: str, plan: PruningPlan) -> None:
    """What is left in a folder without a listed file are halves of files that a killed writer left."""
    touched = {_generation_of(catalog, plan.index, file.uri) for file in plan.files}
    used = {_generation_of(catalog, plan.index, file.uri) for file in _files(store, catalog, plan.index)}
    for generation in touched - used:
        shutil.rmtree(generation_uri(catalog, plan.index, generation), ignore_errors=True)
