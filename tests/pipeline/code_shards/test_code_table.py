from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.committer import Committer
from pipeline.code_shards.shard_reader import read_code_shard
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.errors import ConflictError, CorruptFile, ModelMismatch, StorageError, UsageError
from pipeline.object_store.local_store import LocalStore
from tests.pipeline.code_shards.shard_examples import IDENTITY, random_codes, stored_task
from tests.s3_server import S3Server

OTHER_MODEL = replace(IDENTITY, model_fingerprint="ef" * 32)


@pytest.mark.parametrize("folder", ["photos", "my photos #1 é", "100%"])
def test_the_table_remembers_what_it_was_made_with(tmp_path: Path, folder: str) -> None:
    uri = str(tmp_path / "collections" / folder)
    assert CodeTable.find(uri) is None
    CodeTable.create(uri, IDENTITY)
    table = pickle.loads(pickle.dumps(CodeTable.open(uri)))  # noqa: S301
    assert table.identity == IDENTITY
    assert (table.model_id, table.num_bits, table.model_fingerprint) == ("lsh20@1", 20, "ab" * 32)
    assert table.snapshot().shards == ()


def test_a_path_that_delta_would_decode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a percent sign and two hex digits"):
        CodeTable.create(str(tmp_path / "100%20off"), IDENTITY)


def test_another_model_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    CodeTable.create(str(tmp_path), IDENTITY)
    message = f"holds codes of model {'ab' * 32}, the model given is {'ef' * 32}"
    with pytest.raises(ModelMismatch, match=message):
        CodeTable.create(str(tmp_path), OTHER_MODEL)
    with pytest.raises(ModelMismatch, match=message):
        CodeTable.open(str(tmp_path), model_fingerprint=OTHER_MODEL.model_fingerprint)
    assert CodeTable.open(str(tmp_path), model_fingerprint=IDENTITY.model_fingerprint).identity == IDENTITY


def test_other_carried_columns_are_refused(tmp_path: Path) -> None:
    CodeTable.create(str(tmp_path), IDENTITY)
    with pytest.raises(ConflictError, match=r"asked for {'price': 'double'}; carry the same ones"):
        CodeTable.create(str(tmp_path), replace(IDENTITY, carried={"price": "double"}))


def test_no_collection_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no collection at .*nothing; make one with `bitquarry encode`"):
        CodeTable.open(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("key", "value", "error", "match"),
    [
        ("schema_version", "3", StorageError, "was written by v3, this reads <= v1"),
        ("num_bits", "many", CorruptFile, "settings are not those of a collection"),
    ],
)
def test_settings_of_the_table_are_checked(
    tmp_path: Path, key: str, value: str, error: type[Exception], match: str
) -> None:
    CodeTable.create(str(tmp_path), IDENTITY)
    first = tmp_path / "codes" / "_delta_log" / f"{0:020}.json"
    entries = [json.loads(line) for line in first.read_text().splitlines()]
    next(entry for entry in entries if "metaData" in entry)["metaData"]["configuration"][f"bitquarry.{key}"] = value
    first.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    with pytest.raises(error, match=match):
        CodeTable.open(str(tmp_path))


ROUNDS = range(6)  # A race is lost in about every third.


def test_many_creators_of_one_model_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for round_number in ROUNDS:
            uri = str(tmp_path / str(round_number))
            made = list(pool.map(lambda uri: CodeTable.create(uri, IDENTITY).identity, [uri] * 4))
            assert made == [IDENTITY] * 4
            assert CodeTable.open(uri).snapshot().version == 0


def _create(uri: str, identity: CollectionIdentity) -> str:
    try:
        CodeTable.create(uri, identity)
    except ModelMismatch:
        return "refused"
    return identity.model_fingerprint


def test_of_two_models_at_once_one_wins(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for round_number in ROUNDS:
            uri = str(tmp_path / str(round_number))
            answers = set(pool.map(lambda identity, uri=uri: _create(uri, identity), [IDENTITY, OTHER_MODEL] * 2))
            assert answers == {CodeTable.open(uri).model_fingerprint, "refused"}
            assert CodeTable.open(uri).snapshot().version == 0


def test_a_snapshot_opens_no_data_file(tmp_path: Path) -> None:
    table = CodeTable.create(str(tmp_path), IDENTITY)
    committer = Committer(table)
    tasks = [stored_task(table.uri, number, num_rows=number, num_rejects=1) for number in range(4)]
    for task in tasks:
        committer.add(task)
    committer.finish()
    for path in tmp_path.glob("*/*.parquet"):
        path.unlink()
    snapshot = table.snapshot()
    assert {shard.name for shard in snapshot.shards} == {task.shard_name for task in tasks}
    assert snapshot.num_rows == 6
    assert table.rejects_snapshot(snapshot).num_rows == 4
    with pytest.raises(CorruptFile, match="the table lists it but it is not there"):
        read_code_shard(LocalStore(), table.shard_uri(snapshot.shards[0]), IDENTITY)


def read_with_delta(uri: str, storage_options: dict[str, str] | None = None) -> None:
    """What a user without bitquarry sees."""
    table = CodeTable.create(uri, IDENTITY)
    committer = Committer(table)
    for number in (1, 2):
        committer.add(stored_task(uri, number, num_rows=3, num_rejects=1))
    committer.finish()
    delta = DeltaTable(table.codes_uri, storage_options=storage_options)
    rows = delta.to_pyarrow_table()
    assert rows.num_rows == 6
    codes = random_codes(3, seed=1).packed.tobytes() + random_codes(3, seed=2).packed.tobytes()
    assert sorted(rows["code"].to_pylist()) == sorted(codes[at : at + 3] for at in range(0, 18, 3))
    first = table.snapshot().shards[0]
    found = delta.to_pyarrow_dataset().to_table(columns=["id"], filter=pc.field("id") <= first.max_id)
    assert sorted(found["id"].to_pylist()) == list(range(first.min_id or 0, (first.max_id or 0) + 1))
    assert DeltaTable(table.rejects_uri, storage_options=storage_options).to_pyarrow_table().num_rows == 2


def test_users_can_read_the_table_with_delta_alone(tmp_path: Path) -> None:
    read_with_delta(str(tmp_path))


def test_users_can_read_the_table_on_s3(s3_server: S3Server) -> None:
    read_with_delta(f"{s3_server.uri}/collections/photos", {"AWS_ALLOW_HTTP": "true"})
