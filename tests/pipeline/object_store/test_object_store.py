"""The contract of `ObjectStore`, alike for both stores: the S3 side runs against a real server."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Literal

import pytest

from operators.errors import MediaTooLarge
from pipeline.errors import ObjectExists, ObjectNotFound, StorageError
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from tests.s3_server import S3Server


@pytest.fixture(params=["local", "s3"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URI of an empty folder or bucket."""
    if request.param == "local":
        return str(tmp_path)
    server: S3Server = request.getfixturevalue("s3_server")
    return server.uri


@pytest.fixture
def store(catalog: str) -> ObjectStore:
    return open_store(catalog)


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000], ids=["empty", "one", "1.28 MB"])
@pytest.mark.parametrize("operation", ["write", "create"])
def test_reads_what_was_stored(
    store: ObjectStore, catalog: str, operation: Literal["write", "create"], data: bytes
) -> None:
    uri = join_uri(catalog, "models/a/00001", "model.json")
    getattr(store, operation)(uri, data)
    assert store.read(uri) == data
    info = store.info(uri)
    assert (info.uri, info.size_bytes) == (uri, len(data))
    assert store.read(uri, if_etag=info.etag, max_bytes=len(data)) == data


def test_write_replaces(store: ObjectStore, catalog: str) -> None:
    uri = join_uri(catalog, "a")
    store.write(uri, b"longer first")
    store.write(uri, b"second")
    assert store.read(uri) == b"second"


def test_create_never_replaces(store: ObjectStore, catalog: str) -> None:
    uri = join_uri(catalog, "a/b")
    store.create(uri, b"first")
    for other in (b"second", b"f", b"first and more", b""):
        with pytest.raises(ObjectExists, match="already exists") as raised:
            store.create(uri, other)
        assert raised.value.uri == uri
    assert store.read(uri) == b"first"


def test_creating_the_same_bytes_again_succeeds(store: ObjectStore, catalog: str) -> None:
    """A lost reply looks exactly like this, so bytes that must have one winner need an id of their writer."""
    uri = join_uri(catalog, "a")
    store.create(uri, b"same")
    store.create(uri, b"same")
    assert store.read(uri) == b"same"


def test_racing_creates_have_one_winner(store: ObjectStore, catalog: str) -> None:
    num_writers, num_rounds = 6, 5
    wins: list[tuple[str, bytes]] = []
    start = threading.Barrier(num_writers)

    def race(writer: int) -> None:
        for number in range(num_rounds):
            uri, data = join_uri(catalog, f"{number:08d}.json"), b"writer %d" % writer
            start.wait(timeout=30)
            try:
                store.create(uri, data)
            except ObjectExists:
                continue
            wins.append((uri, data))

    threads = [threading.Thread(target=race, args=(writer,)) for writer in range(num_writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(uri for uri, _ in wins) == [join_uri(catalog, f"{number:08d}.json") for number in range(num_rounds)]
    assert all(store.read(uri) == data for uri, data in wins)


def test_list_gives_every_object_by_ascending_key(store: ObjectStore, catalog: str) -> None:
    keys = ["a/b/c", "a-b", "a.b", "a/a", "ab", "a/b-c", "B", "é", "z/../.hidden", "a/ü"]
    if not catalog.startswith("s3://"):
        keys.remove("z/../.hidden")  # No file can have that name.
    for key in keys:
        store.write(join_uri(catalog, key), key.encode())
    listed = list(store.list(catalog))
    assert [info.uri for info in listed] == [join_uri(catalog, key) for key in sorted(keys, key=str.encode)]
    assert all(info == store.info(info.uri) for info in listed)


def test_list_takes_the_prefix_as_a_folder(store: ObjectStore, catalog: str) -> None:
    for key in ("photos/1", "photos/2/3", "photos-old/1", "photos2"):
        store.write(join_uri(catalog, key), b"")
    expected = [join_uri(catalog, "photos/1"), join_uri(catalog, "photos/2/3")]
    for prefix in (join_uri(catalog, "photos"), join_uri(catalog, "photos") + "/"):
        assert [info.uri for info in store.list(prefix)] == expected


def test_an_empty_folder_lists_nothing(store: ObjectStore, catalog: str) -> None:
    assert list(store.list(catalog)) == []


def test_missing_objects(store: ObjectStore, catalog: str) -> None:
    uri = join_uri(catalog, "none/such")
    for read in (store.read, store.info):
        with pytest.raises(ObjectNotFound, match="no such object") as raised:
            read(uri)
        assert raised.value.uri == uri
    store.delete(uri)


def test_a_folder_is_no_object(store: ObjectStore, catalog: str) -> None:
    store.write(join_uri(catalog, "folder/a"), b"x")
    for read in (store.read, store.info):
        with pytest.raises(ObjectNotFound):
            read(join_uri(catalog, "folder"))


def test_a_missing_folder_or_bucket_is_no_empty_one(store: ObjectStore, catalog: str) -> None:
    missing = f"{catalog}-missing"
    with pytest.raises(ObjectNotFound):
        list(store.list(missing))
    with pytest.raises(ObjectNotFound):
        store.read(join_uri(missing, "a"))


def test_delete_removes_once_and_forgives(store: ObjectStore, catalog: str) -> None:
    uri = join_uri(catalog, "a/b")
    store.write(uri, b"x")
    store.delete(uri)
    store.delete(uri)
    assert list(store.list(catalog)) == []
    store.create(uri, b"again")
    assert store.read(uri) == b"again"


def test_a_changed_object_is_refused(store: ObjectStore, catalog: str) -> None:
    uri = join_uri(catalog, "a")
    store.write(uri, b"version 1")
    (listed,) = store.list(catalog)
    store.write(uri, b"version 2")
    with pytest.raises(StorageError, match="changed since it was listed"):
        store.read(uri, if_etag=listed.etag)
    assert store.read(uri, if_etag=store.info(uri).etag) == b"version 2"


def test_a_large_object_is_refused_with_both_sizes(store: ObjectStore, catalog: str) -> None:
    uri = join_uri(catalog, "a")
    store.write(uri, bytes(1001))
    with pytest.raises(MediaTooLarge) as raised:
        store.read(uri, max_bytes=1000)
    assert (raised.value.quantity, raised.value.given, raised.value.limit) == ("bytes", 1001, 1000)


def test_stores_pickle(store: ObjectStore, catalog: str) -> None:
    uri = join_uri(catalog, "a")
    store.write(uri, b"x")
    pickled = pickle.dumps(store)
    assert b"tests" not in pickled.lower()
    restored: ObjectStore = pickle.loads(pickled)  # noqa: S301 - our own bytes
    assert restored.read(uri) == b"x"
