"""What every kind of source promises, locally and on S3."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from pathlib import Path

import pytest

from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.item_sample import sample_items
from pipeline.sources.media_fetch import fetch_media
from pipeline.sources.open_source import open_source
from pipeline.sources.source import Source, SourceTask
from pipeline.sources.source_settings import SourceSettings
from tests.s3_server import S3Server
from tests.source_samples import MAX_BYTES, NUM_ITEMS, SAMPLE_KINDS, SampleKind, at, label, upload


@pytest.fixture(params=list(SAMPLE_KINDS))
def kind(request: pytest.FixtureRequest) -> SampleKind:
    return SAMPLE_KINDS[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "odd # name é"  # without "%23", which delta-rs decodes


@pytest.fixture
def local_settings(kind: SampleKind, folder: Path) -> SourceSettings:
    return kind.write(folder)


@pytest.fixture
def source(local_settings: SourceSettings) -> Source:
    return open_source(local_settings)


def records(source: Source, max_bytes: int = MAX_BYTES) -> list[FetchedItem | FailedItem]:
    return [record for task in source.tasks() for record in read_items(task, max_bytes=max_bytes)]


def fetched(source: Source) -> list[FetchedItem]:
    items = records(source)
    assert all(isinstance(item, FetchedItem) for item in items), items
    return [item for item in items if isinstance(item, FetchedItem)]


def test_lists_the_same_tasks_every_time(source: Source) -> None:
    tasks = list(source.tasks())
    assert list(source.tasks()) == tasks
    assert len({task.digest for task in tasks}) == len(tasks) > 1
    assert all(len(task.digest) == 32 and int(task.digest, 16) >= 0 for task in tasks)


def test_gives_every_item_once(source: Source) -> None:
    items = fetched(source)
    assert len(items) == NUM_ITEMS
    assert len({item.key for item in items}) == len({item.uri for item in items}) == NUM_ITEMS
    assert len({item.data for item in items}) == NUM_ITEMS
    for task in source.tasks():
        assert task.num_items in (None, len(list(read_items(task, max_bytes=MAX_BYTES))))


def test_start_goes_on_exactly(source: Source) -> None:
    for task in source.tasks():
        whole = list(read_items(task, max_bytes=MAX_BYTES))
        for start in range(len(whole) + 1):
            assert list(read_items(task, start=start, max_bytes=MAX_BYTES)) == whole[start:]


def test_pickled_tasks_and_sources_work_alike(source: Source) -> None:
    tasks = list(source.tasks())
    copies = pickle.loads(pickle.dumps(tasks))  # noqa: S301
    assert copies == tasks
    assert list(read_items(copies[-1], max_bytes=MAX_BYTES)) == list(read_items(tasks[-1], max_bytes=MAX_BYTES))
    assert list(pickle.loads(pickle.dumps(source)).tasks()) == tasks  # noqa: S301


def test_uris_lead_back_to_the_bytes(source: Source) -> None:
    for item in fetched(source):
        assert fetch_media(item.uri, max_bytes=MAX_BYTES) == item.data


def test_labels_and_columns_come_along(source: Source, kind: SampleKind) -> None:
    words = [label(number) if kind.has_words else str(number % 3) for number in range(NUM_ITEMS)]
    items = fetched(source)
    assert Counter(item.label for item in items) == Counter(words)
    types = source.carried_types()
    assert list(types) == (["stars", "name"] if kind.has_columns else [])
    for item in items:
        assert list(item.carried) == list(types)
        if kind.has_columns:
            assert item.carried["name"] == f"picture {item.carried['stars']}"
            assert type(item.carried["stars"]).__name__ == {"int64": "int", "string": "str"}[types["stars"]]
            assert item.label == label(int(item.carried["stars"] or 0))


def test_too_large_items_are_named_one_by_one(source: Source) -> None:
    failed = records(source, max_bytes=20)
    assert len(failed) == NUM_ITEMS
    assert {(item.stage, item.reason) for item in failed if isinstance(item, FailedItem)} == {("fetch", "too_large")}


def test_sample_depends_on_the_seed_only(source: Source) -> None:
    def sample(num_items: int, seed: int) -> list[str]:
        found = list(sample_items(source, num_items=num_items, seed=seed, max_bytes=MAX_BYTES))
        assert all(isinstance(item, FetchedItem) for item in found)
        return [item.key for item in found]

    everything = {item.key for item in fetched(source)}
    assert sample(7, 1) == sample(7, 1)
    assert len(set(sample(7, 1))) == 7
    assert set(sample(7, 1)) < everything
    assert len({tuple(sample(7, seed)) for seed in range(8)}) > 1
    assert set(sample(1000, 1)) == everything
    assert sample(0, 1) == []


def test_same_on_s3(kind: SampleKind, local_settings: SourceSettings, folder: Path, s3_server: S3Server) -> None:
    local = {(item.key, item.data, item.label): dict(item.carried) for item in fetched(open_source(local_settings))}
    source = open_source(at(local_settings, upload(folder, s3_server)))
    tasks = list(source.tasks())
    assert list(source.tasks()) == tasks
    items = fetched(source)
    assert {(item.key, item.data, item.label): dict(item.carried) for item in items} == local
    for item in (items[0], items[-1]):
        assert fetch_media(item.uri, max_bytes=MAX_BYTES) == item.data
    rest = [item for item in read_items(tasks[0], start=2, max_bytes=MAX_BYTES) if isinstance(item, FetchedItem)]
    assert rest == items[2 : 2 + len(rest)]
    assert len(list(sample_items(source, num_items=3, seed=0, max_bytes=MAX_BYTES))) == 3


def test_digests_change_with_a_file_and_only_with_it(
    kind: SampleKind, local_settings: SourceSettings, folder: Path
) -> None:
    source = open_source(local_settings)
    before = {task.digest for task in source.tasks()}
    (path,) = sorted(folder.glob(kind.changed_file))[:1]
    status = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert {task.digest for task in open_source(local_settings).tasks()} == before
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    after = {task.digest for task in source.tasks()}
    assert before != after
    assert before & after or len(before) == 1 or local_settings.uri_column


def test_changed_and_deleted_files_are_told(kind: SampleKind, local_settings: SourceSettings, folder: Path) -> None:
    tasks = list(open_source(local_settings).tasks())
    (path,) = sorted(folder.glob(kind.changed_file))[:1]
    os.utime(path, ns=(0, 0))
    assert _fetch_faults(tasks) == {"changed"}
    path.unlink()
    assert _fetch_faults(tasks) == {"not_found"}


def _fetch_faults(tasks: list[SourceTask]) -> set[str]:
    found = [record for task in tasks for record in read_items(task, max_bytes=MAX_BYTES)]
    counted = sum(task.num_items or 0 for task in tasks)
    assert counted in (0, len(found))
    return {record.reason for record in found if isinstance(record, FailedItem)}
