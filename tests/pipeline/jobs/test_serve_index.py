"""`bitquarry serve` as a process: what it refuses to start with, what it answers, what it follows."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.code_shards.committer import Committer
from pipeline.code_shards.shard_writer import write_task
from pipeline.errors import SettingsError, StorageError, UsageError
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.jobs.index_staleness import IndexStaleness
from pipeline.jobs.search_index import open_search
from pipeline.jobs.serve_index import keys_of, limits_of
from pipeline.object_store.open_store import open_store
from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.service_limits import ServiceLimits
from pipeline.settings import ServeSettings
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.command_line import complaint
from tests.pipeline.jobs.search_examples import (
    PictureCatalog,
    decoded,
    make_picture_catalog,
    picture,
    picture_row,
    task_settings,
)
from tests.pipeline.shard_index.index_examples import flip_byte
from tests.served_command import served_command, wait_until


@pytest.fixture
def pictures(tmp_path: Path) -> PictureCatalog:
    """Index `pictures` of two shards."""
    made = make_picture_catalog(str(tmp_path / "catalog"))
    _build(made)
    return made


def _build(pictures: PictureCatalog, index: str = "pictures", alias: str | None = "live") -> str:
    settings = BuildSettings(
        catalog=pictures.catalog, collection="pictures", index=index, num_shards=2, alias=alias, search_kind="scan"
    )
    return build_index(settings).generation


def _add_picture(pictures: PictureCatalog, number: int) -> None:
    codes = pictures.model.encode_pixels(decoded([picture(number)]))
    settings = replace(task_settings(pictures.table, number, 1), encoded_at=datetime.now(UTC))
    committer = Committer(pictures.table)
    committer.add(write_task(open_store(pictures.catalog), settings, [picture_row(number)], codes, []))
    committer.finish()


def test_it_serves_every_index_like_a_session_and_ends_well(pictures: PictureCatalog) -> None:
    _build(pictures, "again")
    with served_command(pictures.catalog) as served:
        assert served.started["indexes"] == ["again", "pictures"]
        assert (served.started["with_keys"], served.started["troubles"]) == (False, {})
        assert served.started["address"].startswith("http://127.0.0.1:")
        ready = served.get("/readyz")
        assert ready["ready"]
        assert [(index["index"], index["staleness_seconds"]) for index in ready["indexes"]] == [
            ("again", 0.0),
            ("pictures", 0.0),
        ]
        with open_search(pictures.catalog, "pictures") as session:
            for number in range(4):
                expected = session.query_key(f"{number}.png", k=6).neighbors[0]
                asked = {"key": f"{number}.png", "k": 6}
                hits = served.ask("POST", "/v1/indexes/pictures/query", asked).content["hits"]
                assert [(hit["id"], hit["distance"], hit["key"]) for hit in hits] == [
                    (str(hit.id), hit.distance, hit.key) for hit in expected
                ]
        assert served.stop() == 0
        assert served.process.stderr is not None
        assert served.process.stderr.read() == ""


def test_it_follows_deletions_and_aliases(pictures: PictureCatalog) -> None:
    second = _build(pictures, alias=None)
    with served_command(pictures.catalog, "--index", "pictures") as served:
        first = served.get("/v1/indexes/pictures")["generation"]
        deleted = served.ask("POST", "/v1/deletes", {"index": "pictures", "keys": ["3.png", "nope"]})
        assert (deleted.content["num_deleted"], deleted.content["not_found"]) == (1, ["nope"])
        assert served.get("/v1/indexes/pictures")["num_rows"] == 19
        assert served.ask("POST", "/v1/indexes/pictures/query", {"key": "3.png"}).status == 404
        IndexCatalog(pictures.catalog, open_store(pictures.catalog)).point_alias("pictures", "live", second)
        wait_until(lambda: served.get("/v1/indexes/pictures")["generation"] == second, "the alias is followed")
        back = served.ask("POST", "/v1/aliases", {"index": "pictures", "alias": "live", "rollback": True})
        assert back.content["generation"] == deleted.content["generation"] != first


def test_a_generation_that_does_not_open_replaces_nothing(pictures: PictureCatalog) -> None:
    _add_picture(pictures, 100)  # shards with the same bytes would be shared, and not read again
    bad = _build(pictures, alias=None)
    (codes, *_) = sorted((Path(pictures.catalog) / "indexes" / "pictures" / bad).rglob("*codes*"))
    flip_byte(codes)
    with served_command(pictures.catalog) as served:
        good = served.get("/v1/indexes/pictures")["generation"]
        refused = served.ask("POST", "/v1/aliases", {"index": "pictures", "alias": "live", "generation": bad})
        assert refused.status == 503
        assert "is corrupt" in refused.content["detail"]
        assert served.ask("POST", "/v1/indexes/pictures/query", {"key": "3.png"}).content["generation"] == good
        (status,) = served.get("/readyz")["indexes"]
        assert status["generation"] == good
        assert "is corrupt" in status["trouble"]
        flip_byte(codes)
        wait_until(lambda: served.get("/v1/indexes/pictures")["generation"] == bad, "what is mended is followed")


def test_an_index_that_does_not_open_is_named_and_tried_again(pictures: PictureCatalog) -> None:
    generation = _build(pictures)
    (codes, *_) = sorted((Path(pictures.catalog) / "indexes" / "pictures" / generation).rglob("*codes*"))
    flip_byte(codes)
    with served_command(pictures.catalog) as served:
        assert "is corrupt" in served.started["troubles"]["pictures"]
        assert served.ask("GET", "/readyz").status == 503
        assert served.ask("POST", "/v1/indexes/pictures/query", {"key": "3.png"}).status == 503
        flip_byte(codes)
        wait_until(lambda: served.ask("GET", "/readyz").status == 200, "the mended index is opened")


def test_keys_are_asked_for(pictures: PictureCatalog, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys, key = ApiKeys().with_new("reader", "read")
    keys.write(file)
    with served_command(pictures.catalog, "--host", "0.0.0.0", "--keys", file) as served:
        assert served.started["with_keys"]
        assert served.ask("GET", "/v1/indexes").status == 401
        assert served.ask("GET", "/v1/indexes", headers={"Authorization": f"Bearer {key}"}).status == 200


def test_what_it_refuses_to_start_with(pictures: PictureCatalog, tmp_path: Path) -> None:
    serve = ("serve", "--catalog", pictures.catalog)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"serve.port {port}: in use on 127.0.0.1" in complaint(*serve, "--port", str(port), exit_code=2)
    open_to_all = complaint(*serve, "--host", "0.0.0.0", "--port", "0", exit_code=2)
    assert "serve.host '0.0.0.0' lets other machines connect: give serve.keys_file" in open_to_all
    assert "bitquarry keys add" in open_to_all
    unknown = complaint(*serve, "--port", "0", "--index", "nope", exit_code=2)
    assert unknown == "bitquarry: no index named 'nope'; known: pictures"
    assert "no alias named 'next of index pictures'" in complaint(*serve, "--port", "0", "--alias", "next", exit_code=2)
    replicas = complaint(*serve, "--port", "0", "--replicas", "2", exit_code=2)
    assert "serve.num_replicas = 2: threads have no replicas; give search.num_searchers" in replicas
    (tmp_path / "empty").mkdir()
    empty = complaint("serve", "--catalog", tmp_path / "empty", "--port", "0", exit_code=2)
    assert empty == "bitquarry: the catalog holds no index; make one: bitquarry index build"


def test_keys_and_limits_are_checked(tmp_path: Path) -> None:
    empty = tmp_path / "keys.json"
    ApiKeys().write(empty)
    with pytest.raises(UsageError, match="holds no key; make one: bitquarry keys add"):
        keys_of(ServeSettings(keys_file=str(empty)), on_loopback=True)
    assert keys_of(ServeSettings(), on_loopback=True) is None
    assert limits_of(ServeSettings(limits={"max_k": 7, "body_seconds": 2})) == ServiceLimits(max_k=7, body_seconds=2)
    with pytest.raises(SettingsError, match=r"unknown key 'serve\.limits\.max_kk'; did you mean 'max_k'\?"):
        limits_of(ServeSettings(limits={"max_kk": 7}))
    with pytest.raises(SettingsError, match=r"serve\.limits\.max_k = 7\.5: expected a whole number"):
        limits_of(ServeSettings(limits={"max_k": 7.5}))
    with pytest.raises(UsageError, match="max_k = 0: expected more than 0"):
        limits_of(ServeSettings(limits={"max_k": 0}))


def test_staleness_is_the_age_of_the_first_commit_that_is_lacking(pictures: PictureCatalog) -> None:
    catalog = IndexCatalog(pictures.catalog, open_store(pictures.catalog))
    manifest = catalog.resolve("pictures", "live")
    staleness = IndexStaleness(pictures.catalog)
    assert staleness.seconds(manifest) == 0.0
    before = datetime.now(UTC)
    _add_picture(pictures, 100)
    first = staleness.seconds(manifest)
    assert first is not None
    assert 0 < first <= (datetime.now(UTC) - before).total_seconds() + 0.01
    _add_picture(pictures, 101)
    later = IndexStaleness(pictures.catalog).seconds(manifest)
    assert later is not None
    assert later > first
    _build(pictures)
    assert staleness.seconds(catalog.resolve("pictures", "live")) == 0.0
    assert staleness.seconds(replace(manifest, collection="elsewhere")) is None


def test_a_log_that_is_cut_cannot_tell(pictures: PictureCatalog) -> None:
    manifest = IndexCatalog(pictures.catalog, open_store(pictures.catalog)).resolve("pictures", "live")
    log = Path(pictures.table.codes_uri) / "_delta_log"
    newest = manifest.table_version
    (log / "_last_checkpoint").write_text(f'{{"version": {newest}, "size": 1}}', encoding="utf-8")
    assert IndexStaleness(pictures.catalog).seconds(manifest) == 0.0
    (log / "_last_checkpoint").write_text(f'{{"version": {newest + 5}, "size": 1}}', encoding="utf-8")
    with pytest.raises(StorageError, match=f"the log no longer has version {newest + 1}"):
        IndexStaleness(pictures.catalog).seconds(manifest)


def test_a_stale_index_is_not_ready(pictures: PictureCatalog, tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text("serve: {max_staleness_seconds: 0.001, refresh_seconds: 0.1}\n", encoding="utf-8")
    with served_command(pictures.catalog, "--config", config) as served:
        assert served.get("/readyz")["ready"]
        _add_picture(pictures, 100)
        wait_until(lambda: served.ask("GET", "/readyz").status == 503, "the index is stale")
        assert "the index lacks a change" in served.get("/readyz")["indexes"][0]["reasons"][0]
        _build(pictures)
        wait_until(lambda: served.ask("GET", "/readyz").status == 200, "the index is new")
