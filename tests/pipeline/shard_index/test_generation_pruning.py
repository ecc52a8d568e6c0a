"""What an alias points at, or can be rolled back to, survives every pruning byte for byte; the rest is gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import ConflictError, CorruptFile, StorageError, UnknownName, UsageError
from pipeline.object_store.local_store import TEMPORARY_PREFIX, LocalStore
from pipeline.object_store.open_store import open_store
from pipeline.shard_index import alias as alias_module
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.generation_pruning import PruningPlan, PruningRule, plan_pruning, prune
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_verify import verify_generation
from tests.pipeline.shard_index.changed_examples import fetcher_of
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus, plan_for
from tests.s3_server import S3Server

NO_GRACE = PruningRule(grace_hours=0)
CORPUS = make_corpus(6)
ALIASES = ("live", "next")


def delete_row(catalog: str | Path, old: IndexManifest, row: int) -> IndexManifest:
    """A generation that shares the files of `old`."""
    change = GenerationChange(table_version=old.table_version + 1, deleted=np.array([CORPUS.ids[row]]))
    return change_generation(fetcher_of(catalog), old, change)


def planned(catalog: str | Path, rule: PruningRule = NO_GRACE, now: datetime | None = None) -> PruningPlan:
    return plan_pruning(open_store(str(catalog)), str(catalog), "photos", rule, now=now)


def pruned(catalog: str | Path, rule: PruningRule = NO_GRACE) -> PruningPlan:
    plan = planned(catalog, rule)
    prune(open_store(str(catalog)), str(catalog), plan)
    return plan


def indexes_of(catalog: str | Path) -> IndexCatalog:
    return IndexCatalog(str(catalog), open_store(str(catalog)))


def generations_of(catalog: str | Path) -> tuple[str, ...]:
    return indexes_of(catalog).generations("photos")


def check_whole(catalog: str | Path, generation: str) -> None:
    manifest = indexes_of(catalog).manifest("photos", generation)
    assert verify_generation(manifest, fetcher_of(catalog)).problems == ()


def files_in(catalog: Path) -> set[str]:
    home = catalog / "indexes" / "photos"
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


def files_named(catalog: Path) -> set[str]:
    """By the manifests that are left."""
    named = set()
    for generation in generations_of(catalog):
        manifest = indexes_of(catalog).manifest("photos", generation)
        named.add(f"{generation}/MANIFEST.json")
        if manifest.deleted is not None:
            named.add(f"{generation}/deleted.npy")
        for shard in manifest.shards:
            named.update(f"{shard.home or generation}/{file.name}" for file in shard.files)
    return named


def act(catalog: Path, action: tuple[str, str, int]) -> None:
    """Build, change, point an alias, or roll one back."""
    kind, alias, number = action
    indexes, generations = indexes_of(catalog), generations_of(catalog)
    if kind == "build" or not generations:
        build_generation(LocalStore(), replace(plan_for(str(catalog), CORPUS), num_shards=1), CORPUS.tables(6))
    elif kind == "delete":
        old = indexes.manifest("photos", generations[number % len(generations)])
        delete_row(catalog, old, number % len(CORPUS))
    elif kind == "point":
        indexes.point_alias("photos", alias, generations[number % len(generations)])
    elif (head := indexes.aliases("photos").get(alias)) is not None and head.previous is not None:
        indexes.rollback_alias("photos", alias)


def reached_by_rollbacks(catalog: Path, num_rollbacks: int, visit: Callable[[str], None]) -> None:
    """Do the rollbacks, and look at every generation on the way."""
    indexes = indexes_of(catalog)
    for alias in indexes.aliases("photos"):
        visit(indexes.resolve("photos", alias).generation)
        for _ in range(num_rollbacks):
            head = indexes.aliases("photos")[alias]
            if head.previous is not None:
                visit(indexes.rollback_alias("photos", alias).generation)


ACTIONS = st.tuples(
    st.sampled_from(["build", "delete", "point", "point", "rollback"]), st.sampled_from(ALIASES), st.integers(0, 30)
)


@settings(max_examples=30, deadline=None)
@example(  # a rollback goes on from where the one before arrived
    actions=[("build", "live", 0)] * 3 + [("point", "live", number) for number in range(3)] + [("rollback", "live", 0)],
    num_rollbacks=1,
)
@given(actions=st.lists(ACTIONS, min_size=1, max_size=14), num_rollbacks=st.integers(0, 3))
def test_what_can_be_asked_for_stays_and_the_rest_goes(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str, int]], num_rollbacks: int
) -> None:
    catalog = tmp_path_factory.mktemp("pruned") / "catalog"
    for action in actions:
        act(catalog, action)
    untouched = shutil.copytree(catalog, tmp_path_factory.mktemp("untouched") / "catalog")
    expected: set[str] = set()
    reached_by_rollbacks(untouched, num_rollbacks, expected.add)
    before = generations_of(catalog)
    plan = pruned(catalog, PruningRule(num_rollbacks=num_rollbacks, grace_hours=0))
    assert set(generations_of(catalog)) == set(plan.kept) == expected
    assert set(plan.removed) == set(before) - expected
    assert files_in(catalog) == files_named(catalog)
    reached_by_rollbacks(catalog, num_rollbacks, lambda generation: check_whole(catalog, generation))


def test_files_that_a_newer_generation_shares_outlive_their_own(tmp_path: Path) -> None:
    first = build_example(tmp_path, CORPUS)
    second = delete_row(tmp_path, first, 2)
    indexes_of(tmp_path).point_alias("photos", "live", second.generation)
    plan = pruned(tmp_path, PruningRule(num_rollbacks=0, grace_hours=0))
    assert plan.removed == (first.generation,)
    assert [file.uri for file in plan.files] == [f"{tmp_path}/indexes/photos/{first.generation}/MANIFEST.json"]
    check_whole(tmp_path, second.generation)
    with pytest.raises(UnknownName, match="no generation named"):
        indexes_of(tmp_path).rollback_alias("photos", "live")
    third = build_example(tmp_path, CORPUS)
    assert pruned(tmp_path, PruningRule(num_rollbacks=0, grace_hours=0)).removed == (second.generation,)
    assert [path.name for path in (tmp_path / "indexes" / "photos").iterdir()] == [third.generation]


def test_the_grace_counts_from_the_making_and_from_the_last_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(hours=10)

    first = build_example(tmp_path, CORPUS)
    monkeypatch.setattr(alias_module, "datetime", Later)
    second = build_example(tmp_path, CORPUS)  # takes the alias ten hours later
    spare = build_generation(LocalStore(), plan_for(str(tmp_path), CORPUS), CORPUS.tables(6))
    rule, now = PruningRule(num_rollbacks=0, grace_hours=24), datetime.now(UTC)
    assert planned(tmp_path, rule, now + timedelta(hours=23)).removed == ()
    assert planned(tmp_path, rule, now + timedelta(hours=25)).removed == (spare.generation,)
    last = planned(tmp_path, rule, now + timedelta(hours=35))
    assert (last.removed, last.kept) == ((first.generation, spare.generation), (second.generation,))


def test_builds_that_never_ended_go_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    build_example(tmp_path, CORPUS)
    home = tmp_path / "indexes" / "photos"
    unfinished, running = home / "20200101T000000000000Z-v000001-ffff", home / "29990101T000000000000Z-v000001-ffff"
    for folder in (unfinished, running, home / "mine"):
        folder.mkdir()
        (folder / "shard-00000-of-00001.codes.npy").write_bytes(b"half")
    (unfinished / f"{TEMPORARY_PREFIX}1").write_bytes(b"a part")
    plan = pruned(tmp_path, PruningRule())
    assert (plan.removed, plan.size_bytes) == ((), 4)
    assert not unfinished.exists()
    assert running.exists()
    assert (home / "mine" / "shard-00000-of-00001.codes.npy").exists()


class FailingStore(LocalStore):
    """Fails at the delete of that number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def delete(self, uri: str) -> None:
        if self.left == 0:
            raise StorageError(f"{uri}: delete failed: I/O error")
        self.left -= 1
        super().delete(uri)


def test_pruning_that_breaks_off_anywhere_is_completed_by_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        build_example(tmp_path / "calm", CORPUS)
    last = delete_row(tmp_path / "calm", build_example(tmp_path / "calm", CORPUS), 1)
    indexes_of(tmp_path / "calm").point_alias("photos", "live", last.generation)
    rule = PruningRule(num_rollbacks=0, grace_hours=0)
    num_files = len(planned(tmp_path / "calm", rule).files)
    assert num_files > 20
    for number in range(num_files):
        broken = shutil.copytree(tmp_path / "calm", tmp_path / f"broken-{number}")
        plan = planned(broken, rule)
        with pytest.raises(StorageError):
            prune(FailingStore(number), str(broken), plan)
        for generation in generations_of(broken):
            check_whole(broken, generation)
        pruned(broken, rule)
        assert generations_of(broken) == (last.generation,)
        assert files_in(broken) == files_named(broken)
        check_whole(broken, last.generation)


class PointingStore(LocalStore):
    """Somebody points the alias at a generation the moment before its manifest goes."""

    def __init__(self, catalog: Path, generation: str) -> None:
        self.catalog, self.generation = catalog, generation

    def delete(self, uri: str) -> None:
        if self.generation in uri:
            indexes_of(self.catalog).point_alias("photos", "live", self.generation)
        super().delete(uri)


def test_an_alias_that_comes_back_meanwhile_finds_its_generation(tmp_path: Path) -> None:
    first, _, _ = (build_example(tmp_path, CORPUS) for _ in range(3))
    before = files_in(tmp_path)
    plan = planned(tmp_path)
    assert plan.removed == (first.generation,)
    with pytest.raises(ConflictError, match=f"was pointed at generation {first.generation}"):
        prune(PointingStore(tmp_path, first.generation), str(tmp_path), plan)
    assert files_in(tmp_path) == before
    check_whole(tmp_path, first.generation)


def test_nothing_is_removed_while_a_manifest_that_stays_cannot_be_read(tmp_path: Path) -> None:
    build_example(tmp_path, CORPUS)
    second = build_example(tmp_path, CORPUS)
    flip_byte(tmp_path / "indexes" / "photos" / second.generation / "MANIFEST.json", 40)
    before = files_in(tmp_path)
    with pytest.raises(CorruptFile, match=second.generation):
        pruned(tmp_path, PruningRule(num_rollbacks=0, grace_hours=0))
    assert files_in(tmp_path) == before


def test_wrong_words(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no index named 'photos'"):
        planned(tmp_path)
    for wrong in (
        {"num_rollbacks": -1},
        {"grace_hours": -0.5},
        {"grace_hours": float("nan")},
        {"grace_hours": float("inf")},
    ):
        with pytest.raises(UsageError, match=r"(rollbacks|grace_hours) = .*: expected a number from 0"):
            PruningRule(**wrong)


def test_a_catalog_on_s3(s3_server: S3Server) -> None:
    catalog = f"{s3_server.uri}/pruning"
    first, second, third = (build_example(catalog, CORPUS) for _ in range(3))
    plan = pruned(catalog)
    assert (plan.removed, plan.kept) == ((first.generation,), (second.generation, third.generation))
    assert not list(open_store(catalog).list(f"{catalog}/indexes/photos/{first.generation}"))
    for generation in plan.kept:
        check_whole(catalog, generation)
