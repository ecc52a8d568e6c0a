"""The whole run with sources, catalog and index on an S3 server over HTTP, from three kinds of source."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.object_store.open_store import open_store
from tests.end_to_end.whole_run import WholeRun, brute_force, codes_by_a_bare_loop, found_by
from tests.faults.colour_corpus import write_corpus
from tests.s3_server import S3Server

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

NUM_PICTURES, NUM_BROKEN, K = 40, 1, 10


class Pictures:
    """A local folder of pictures and the codes that a bare loop gives it, to be put into a bucket in three forms."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed = sorted(write_corpus(folder, num_pictures=NUM_PICTURES, num_broken=NUM_BROKEN))
        self.data = {key: (folder / key).read_bytes() for key in self.listed}
        self.broken = {key for key, data in self.data.items() if data.startswith(b"<html>")}
        self.fingerprint, self.codes = codes_by_a_bare_loop(folder, self.broken)

    def upload(self, bucket: str) -> None:
        store = open_store(bucket)
        for key, data in self.data.items():
            store.write(f"{bucket}/pictures/{key}", data)
        store.write(f"{bucket}/table/pictures.parquet", self._parquet())
        store.write(f"{bucket}/tars/pictures.tar", self._tar())

    def _parquet(self) -> bytes:
        sink = io.BytesIO()
        pq.write_table(pa.table({"name": self.listed, "picture": list(self.data.values())}), sink)
        return sink.getvalue()

    def _tar(self) -> bytes:
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as tar:
            for key, data in self.data.items():
                member = tarfile.TarInfo(key)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return sink.getvalue()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return Pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def run(pictures: Pictures, s3_server: S3Server, tmp_path: Path) -> WholeRun:
    pictures.upload(s3_server.uri)
    config = tmp_path / "settings.yaml"
    cache = tmp_path / "cache"
    config.write_text(f"source: {{task_items: 16}}\nray: {{num_cpus: 2}}\nsearch: {{cache_dir: {cache}}}\n")
    return WholeRun(f"{s3_server.uri}/catalogs/one", config)


def test_sources_table_and_index_on_s3(pictures: Pictures, s3_server: S3Server, run: WholeRun) -> None:
    source = f"{s3_server.uri}/pictures"
    assert run.train(source)["fingerprint"] == pictures.fingerprint
    report = run.encode("photos", source, exit_code=3)
    assert (report["num_rows"], report["num_rejects"]) == (NUM_PICTURES, NUM_BROKEN)
    check_index(pictures, run, source)
    check_other_sources(pictures, s3_server, run)


def check_index(pictures: Pictures, run: WholeRun, source: str) -> None:
    rows = run.rows("photos")
    assert {key: code for _, key, code in rows} == pictures.codes
    run.json("index", "build", "--collection", "photos", "--name", "photos", "--num-shards", "2")
    assert run.json("index", "verify", "--index", "photos")["problems"] == []
    _, key, code = rows[7]
    hits = run.hits("--image", f"{source}/{key}", "--k", K)
    assert found_by(hits) == brute_force(rows, code, k=K)
    assert hits == run.hits("--code", code.hex(), "--k", K, "--searchers", 2)
    assert run.json("evaluate", "--index", "photos")["num_queries"] == NUM_PICTURES
    tables = ("--collection", "photos", "--name", "photos", "--kind", "multi_index")
    assert run.json("index", "build", *tables)["search"]["kind"] == "multi_index"
    assert run.hits("--code", code.hex(), "--k", K) == hits
    assert [row["num_rows"] for row in run.json("status")["indexes"]] == [NUM_PICTURES]


def check_other_sources(pictures: Pictures, s3_server: S3Server, run: WholeRun) -> None:
    """The same pictures give the same codes from a table and from a tar."""
    table = ("--bytes-column", "picture", "--key-column", "name")
    run.encode("from-table", f"{s3_server.uri}/table/pictures.parquet", *table, exit_code=3)
    run.encode("from-tar", f"{s3_server.uri}/tars", exit_code=3)
    assert {key: code for _, key, code in run.rows("from-table")} == pictures.codes
    by_name = {key.rsplit("/", 1)[-1]: code for key, code in pictures.codes.items()}
    assert {key.rsplit("/", 1)[-1]: code for _, key, code in run.rows("from-tar")} == by_name
