"""The same answers from threads and from Ray actors; a killed actor is named, never waited for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest

from operators.binary_codes import BinaryCodes
from operators.search.hamming_flat import search_flat
from pipeline.errors import CorruptFile, ModelMismatch, SearchError, UnknownName
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.jobs.search_index import open_search
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore
from pipeline.routing.search_answer import SearchAnswer
from pipeline.routing.search_session import SearchSession
from pipeline.settings import SearchSettings
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.oracles import rankings_of
from tests.pipeline.jobs.search_examples import PictureCatalog, fitted_model, make_picture_catalog, picture
from tests.pipeline.shard_index.index_examples import flip_byte
from tests.s3_server import S3Server


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureCatalog:
    made = make_picture_catalog(str(tmp_path_factory.mktemp("catalog")))
    build_index(BuildSettings(catalog=made.catalog, collection="pictures", index="photos", num_shards=3))
    return made


def ask_everything(session: SearchSession, pictures: PictureCatalog) -> list[SearchAnswer]:
    codes, ids, keys = pictures.rows()
    return [
        session.query_codes(codes, k=6),
        session.query_image(picture(100), k=20),
        session.query_id(int(ids[4]), k=5),
        session.query_key(keys[9], k=5, exclude_self=False),
        session.query_hex(codes.to_hex()[0], k=100),
    ]


def searcher_processes() -> list[psutil.Process]:
    """Worker processes of our own Ray that run a searcher."""
    return [child for child in psutil.Process().children(recursive=True) if "SearcherActor" in _command(child)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_threads_answer_like_a_flat_search(pictures: PictureCatalog) -> None:
    codes, ids, _ = pictures.rows()
    with open_search(pictures.catalog, "photos") as session:
        answers = ask_everything(session, pictures)
    for query, expected in enumerate(rankings_of(search_flat(codes, ids, codes, k=6))):
        assert [(n.distance, n.id) for n in answers[0].neighbors[query]] == expected
    query_code = session.encoder.encode_image(picture(100))
    assert isinstance(query_code, BinaryCodes)
    flat = rankings_of(search_flat(codes, ids, query_code, k=20))[0]
    assert [(n.distance, n.id) for n in answers[1].neighbors[0]] == flat
    assert len(answers[4].neighbors[0]) == 20


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("num_searchers", [1, 2])
def test_actors_answer_like_threads(pictures: PictureCatalog, num_searchers: int) -> None:
    with open_search(pictures.catalog, "photos") as session:
        expected = [answer.neighbors for answer in ask_everything(session, pictures)]
    with open_search(pictures.catalog, "photos", settings=SearchSettings(num_searchers=num_searchers)) as session:
        assert [answer.neighbors for answer in ask_everything(session, pictures)] == expected


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_killed_actor_is_named(pictures: PictureCatalog) -> None:
    codes, _, _ = pictures.rows()
    with open_search(pictures.catalog, "photos", settings=SearchSettings(num_searchers=2)) as session:
        assert not session.query_codes(codes, k=3).coverage.degraded
        victims = searcher_processes()
        assert len(victims) == 2
        os.kill(victims[0].pid, signal.SIGKILL)
        with pytest.raises(SearchError, match=r"of 3 shards did not answer: shard-.*its process died"):
            session.query_codes(codes, k=3)
        answer = session.query_codes(codes, k=3, allow_partial=True)
        assert answer.coverage.degraded
        assert 0 < answer.coverage.rows_searched < answer.coverage.rows_total
        os.kill(victims[1].pid, signal.SIGKILL)
        with pytest.raises(SearchError, match="3 of 3 shards did not answer"):
            session.query_codes(codes, k=3, allow_partial=True)


@pytest.mark.parametrize("num_searchers", [0, pytest.param(2, marks=pytest.mark.ray)])
def test_a_damaged_shard_is_refused_at_open(tmp_path: Path, num_searchers: int, request: pytest.FixtureRequest) -> None:
    if num_searchers:
        request.getfixturevalue("local_ray")
    pictures = make_picture_catalog(str(tmp_path))
    manifest = build_index(BuildSettings(catalog=pictures.catalog, collection="pictures", index="photos", num_shards=3))
    flip_byte(tmp_path / "indexes" / "photos" / manifest.generation / manifest.shards[1].codes.name)
    expected = (
        r"shard-00001-of-00003\.codes\.npy is corrupt: .*bitquarry index build --collection pictures --name photos"
    )
    with (
        pytest.raises(CorruptFile, match=expected),
        open_search(pictures.catalog, "photos", settings=SearchSettings(num_searchers=num_searchers)),
    ):
        pass


def test_an_open_session_keeps_its_generation(tmp_path: Path) -> None:
    pictures = make_picture_catalog(str(tmp_path))
    settings = BuildSettings(catalog=pictures.catalog, collection="pictures", index="photos", num_shards=2)
    first = build_index(settings)
    codes, _, _ = pictures.rows()
    with open_search(pictures.catalog, "photos") as session:
        second = build_index(settings)
        assert session.query_codes(codes, k=1).generation == first.generation
    with open_search(pictures.catalog, "photos") as session:
        assert session.query_codes(codes, k=1).generation == second.generation
    IndexCatalog(pictures.catalog, LocalStore()).rollback_alias("photos", "live")
    with open_search(pictures.catalog, "photos") as session:
        assert session.query_codes(codes, k=1).generation == first.generation


def test_a_foreign_model_is_refused(tmp_path: Path) -> None:
    pictures = make_picture_catalog(str(tmp_path))
    build_index(BuildSettings(catalog=pictures.catalog, collection="pictures", index="photos"))
    store = ModelStore(pictures.catalog, LocalStore())
    (tmp_path / "models" / "lsh12").rename(tmp_path / "models" / "gone")
    store.save("lsh12", fitted_model(seed=9), {})
    with open_search(pictures.catalog, "photos") as session, pytest.raises(ModelMismatch, match="index photos"):
        session.query_image(picture(0), k=1)


def test_unknown_names(pictures: PictureCatalog) -> None:
    with (
        pytest.raises(UnknownName, match="no index named 'nope'; known: photos"),
        open_search(pictures.catalog, "nope"),
    ):
        pass
    with pytest.raises(UnknownName, match="known: live"), open_search(pictures.catalog, "photos", alias="next"):
        pass


def test_a_catalog_on_s3(s3_server: S3Server, tmp_path: Path, pictures: PictureCatalog) -> None:
    catalog = f"{s3_server.uri}/catalog"
    made = make_picture_catalog(catalog)
    build_index(BuildSettings(catalog=catalog, collection="pictures", index="photos", num_shards=3))
    with open_search(catalog, "photos", settings=SearchSettings(cache_dir=str(tmp_path))) as session:
        remote = ask_everything(session, made)
    with open_search(pictures.catalog, "photos") as session:
        local = ask_everything(session, pictures)
    assert [answer.neighbors for answer in remote] == [answer.neighbors for answer in local]
    assert np.array_equal(made.rows()[1], pictures.rows()[1])
