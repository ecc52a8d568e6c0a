"""Parquet in, Parquet out: the rows of single queries, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operators.binary_codes import BinaryCodes
from pipeline.errors import SourceNotFound, StorageError, UsageError
from pipeline.jobs import search_batch as search_batch_job
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.jobs.search_batch import SearchBatchSettings, search_batch
from pipeline.jobs.search_index import open_search
from pipeline.object_store.s3_store import S3Store
from pipeline.routing.search_session import SearchSession
from tests.pipeline.jobs.search_examples import make_picture_catalog, picture
from tests.s3_server import S3Server


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchSession]:
    made = make_picture_catalog(str(tmp_path_factory.mktemp("catalog")))
    build_index(BuildSettings(catalog=made.catalog, collection="pictures", index="photos", num_shards=3))
    with open_search(made.catalog, "photos") as opened:
        yield opened


def expected_rows(session: SearchSession, images: dict[str, bytes], k: int) -> list[dict[str, object]]:
    return [
        {
            "query_id": name,
            "rank": neighbor.rank,
            "id": neighbor.id,
            "key": neighbor.key,
            "uri": neighbor.uri,
            "distance": neighbor.distance,
        }
        for name, image in images.items()
        for neighbor in session.query_image(image, k=k).neighbors[0]
    ]


@pytest.mark.parametrize("max_answers", [4, 500_000])
def test_pictures(tmp_path: Path, session: SearchSession, monkeypatch: pytest.MonkeyPatch, max_answers: int) -> None:
    monkeypatch.setattr(search_batch_job, "_MAX_BATCH_ANSWERS", max_answers)
    images = {f"q{number}": picture(100 + number) for number in range(5)}
    pq.write_table(pa.table({"query_id": list(images), "image": list(images.values())}), tmp_path / "q.parquet")
    settings = SearchBatchSettings(queries=str(tmp_path / "q.parquet"), output=str(tmp_path / "a.parquet"), k=4)
    done: list[int] = []
    report = search_batch(session, settings, on_progress=done.append)
    answers = pq.read_table(tmp_path / "a.parquet")
    assert answers.to_pylist() == expected_rows(session, images, 4)
    assert (report.num_queries, report.num_rejected, report.num_rows, report.rejects) == (5, 0, 20, ())
    assert sum(done) == 5
    metadata = answers.schema.metadata
    assert metadata[b"generation"].decode() == report.generation == session.manifest.generation
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_codes_with_row_numbers_as_ids(tmp_path: Path, session: SearchSession) -> None:
    codes = session.encoder.encode_images([picture(number) for number in range(3)]).queries
    assert isinstance(codes, BinaryCodes)
    pq.write_table(pa.table({"code": codes.to_hex()}), tmp_path / "q.parquet")
    settings = SearchBatchSettings(queries=str(tmp_path / "q.parquet"), output=str(tmp_path / "a.parquet"), k=30)
    report = search_batch(session, settings)
    answers = pq.read_table(tmp_path / "a.parquet")
    assert report.num_rows == answers.num_rows == 3 * 20  # the index holds fewer than k
    assert answers.column("query_id").to_pylist() == [0] * 20 + [1] * 20 + [2] * 20
    single = session.query_codes(codes, k=30)
    assert answers.column("id").to_pylist() == [neighbor.id for found in single.neighbors for neighbor in found]


def test_bad_pictures_are_counted_and_left_out(tmp_path: Path, session: SearchSession) -> None:
    pq.write_table(
        pa.table({"query_id": ["a", "b", "c"], "image": [b"text", picture(3), None]}), tmp_path / "q.parquet"
    )
    settings = SearchBatchSettings(queries=str(tmp_path / "q.parquet"), output=str(tmp_path / "a.parquet"), k=2)
    report = search_batch(session, settings)
    assert (report.num_queries, report.num_rejected, report.num_rows) == (3, 2, 2)
    assert [name for name, _ in report.rejects] == ["a", "c"]
    assert pq.read_table(tmp_path / "a.parquet").column("query_id").to_pylist() == ["b", "b"]


def test_no_query_has_an_answer(tmp_path: Path, session: SearchSession) -> None:
    pq.write_table(pa.table({"image": [b"text"]}), tmp_path / "q.parquet")
    settings = SearchBatchSettings(queries=str(tmp_path / "q.parquet"), output=str(tmp_path / "a.parquet"))
    assert search_batch(session, settings).num_rows == 0
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0


def test_an_error_leaves_the_old_output(tmp_path: Path, session: SearchSession) -> None:
    pq.write_table(pa.table({"code": ["0010", "00"]}), tmp_path / "q.parquet")
    (tmp_path / "a.parquet").write_bytes(b"old")
    settings = SearchBatchSettings(queries=str(tmp_path / "q.parquet"), output=str(tmp_path / "a.parquet"))
    with pytest.raises(UsageError, match=r"query 1: code: got 8 bits, expected 12 bits \(4 hex digits\)"):
        search_batch(session, settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "q.parquet"]
    assert (tmp_path / "a.parquet").read_bytes() == b"old"


def test_refuses_k_and_missing_files(tmp_path: Path, session: SearchSession) -> None:
    missing = str(tmp_path / "nope.parquet")
    with pytest.raises(UsageError, match="k = 0"):
        search_batch(session, SearchBatchSettings(queries=missing, output=missing, k=0))
    with pytest.raises(SourceNotFound, match=r"nope\.parquet: no such file"):
        search_batch(session, SearchBatchSettings(queries=missing, output=missing))
    pq.write_table(pa.table({"code": ["0010"]}), tmp_path / "q.parquet")
    with pytest.raises(StorageError, match="does not exist"):
        search_batch(
            session, SearchBatchSettings(queries=str(tmp_path / "q.parquet"), output=f"{tmp_path}/no/a.parquet")
        )


def test_queries_and_output_on_s3(s3_server: S3Server, tmp_path: Path, session: SearchSession) -> None:
    pq.write_table(pa.table({"query_id": [7], "image": [picture(5)]}), tmp_path / "q.parquet")
    queries, output = f"{s3_server.uri}/q.parquet", f"{s3_server.uri}/a.parquet"
    S3Store().write(queries, (tmp_path / "q.parquet").read_bytes())
    search_batch(session, SearchBatchSettings(queries=queries, output=output, k=3))
    answers = pq.read_table(pa.BufferReader(S3Store().read(output)))
    assert answers.column("query_id").to_pylist() == [7, 7, 7]
