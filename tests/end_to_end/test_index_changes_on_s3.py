"""Pictures on S3 that change: encode again, `index add`, `delete` and `index compact` give what a new build gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.object_store.open_store import open_store
from tests.end_to_end.whole_run import WholeRun
from tests.faults.colour_corpus import write_corpus
from tests.s3_server import S3Server

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

NUM_PICTURES = 24
GONE = "class-2/00007.png"
CHANGED = "class-3/00008.png"
NEW = "class-1/zebra.png"


class Bucket:
    """Pictures in a bucket, and the commands on a catalog beside them."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.source = f"{server.uri}/pictures"
        self._store = open_store(server.uri)
        config = folder / "settings.yaml"
        config.write_text(
            f"source: {{task_items: 16}}\nray: {{num_cpus: 2}}\nsearch: {{cache_dir: {folder / 'cache'}}}\n"
        )
        self.run = WholeRun(f"{server.uri}/catalogs/one", config)

    def put(self, key: str, data: bytes) -> None:
        self._store.write(f"{self.source}/{key}", data)

    def encode(self) -> None:
        self.run.encode("photos", self.source, exit_code=0)

    def build(self) -> Any:
        return self.run.json("index", "build", "--collection", "photos", "--name", "photos", "--num-shards", "2")

    def everything(self) -> list[dict[str, Any]]:
        return self.run.hits("--code", "0000", "--k", 1000)


@pytest.fixture
def bucket(s3_server: S3Server, tmp_path: Path) -> Bucket:
    made = Bucket(s3_server, tmp_path)
    for key in write_corpus(tmp_path / "pictures", num_pictures=NUM_PICTURES, num_broken=0):
        made.put(key, (tmp_path / "pictures" / key).read_bytes())
    made.run.train(made.source)
    made.encode()
    made.build()
    return made


def test_a_collection_that_changes_is_followed(bucket: Bucket, tmp_path: Path) -> None:
    before = {hit["key"]: hit for hit in bucket.everything()}
    assert len(before) == NUM_PICTURES
    bucket.run.json("delete", "--index", "photos", "--key", GONE, "--yes")
    assert {hit["key"] for hit in bucket.everything()} == before.keys() - {GONE}

    # Tasks in which a picture changed are encoded again, with the deleted picture in one of them.
    bucket.put(CHANGED, (tmp_path / "pictures" / "class-0" / "00000.png").read_bytes())
    bucket.put(NEW, (tmp_path / "pictures" / "class-4" / "00004.png").read_bytes())
    bucket.encode()
    added = bucket.run.json("index", "add", "--index", "photos")
    assert added["changed"]
    assert added["num_added"] - added["num_removed"] == 1
    followed = bucket.everything()
    assert {hit["key"] for hit in followed} == (before.keys() | {NEW}) - {GONE}
    assert bucket.run.json("index", "verify", "--index", "photos")["problems"] == []
    by_key = {hit["key"]: hit for hit in followed}
    assert by_key[CHANGED]["distance"] == by_key["class-0/00000.png"]["distance"]
    assert len(bucket.run.rows("photos")) == NUM_PICTURES + 1
    assert GONE in {key for _, key, _ in bucket.run.rows("photos")}

    compacted = bucket.run.json("index", "compact", "--index", "photos")
    assert (compacted["num_rows"], compacted["num_shards"]) == (NUM_PICTURES, 2)
    assert bucket.everything() == followed
    bucket.build()
    assert bucket.everything() == followed
    assert bucket.run.json("delete", "--index", "photos", "--key", GONE, "--yes")["num_deleted"] == 0
