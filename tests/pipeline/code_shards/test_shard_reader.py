from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.code_shards.shard_name import ShardName
from pipeline.code_shards.shard_reader import read_code_shard, read_rejects
from pipeline.code_shards.shard_schema import file_metadata
from pipeline.code_shards.shard_writer import write_task
from pipeline.errors import CorruptFile, ModelMismatch, StorageError
from pipeline.object_store.local_store import LocalStore
from tests.pipeline.code_shards.shard_examples import IDENTITY, encoded_rows, random_codes, settings_for, stored_task

STORE = LocalStore()


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return tmp_path / "codes" / stored_task(str(tmp_path), num_rows=5).code_file.name


def forge(shard: Path, table: pa.Table, *, metadata: dict[str, str] | None = None, store_schema: bool = False) -> Path:
    """A shard with a right name and sha256 and other contents, as a wrong program would write it."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, store_schema=store_schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(file_metadata(IDENTITY, "cd" * 32) if metadata is None else metadata)
    return store_named(shard, sink.getvalue().to_pybytes())


def store_named(shard: Path, data: bytes) -> Path:
    name = replace(ShardName.parse(shard.name), sha256=hashlib.sha256(data).hexdigest())
    path = shard.parent / name.file_name
    path.write_bytes(data)
    return path


def test_what_was_written_is_read(shard: Path) -> None:
    table = read_code_shard(STORE, str(shard), IDENTITY)
    assert table["key"].to_pylist() == [row.key for row in encoded_rows(5)]
    assert b"".join(table["code"].to_pylist()) == random_codes(5).packed.tobytes()
    assert table["price"].to_pylist() == [row.carried["price"] for row in encoded_rows(5)]


def test_chosen_columns(shard: Path) -> None:
    assert read_code_shard(STORE, str(shard), IDENTITY, ["id", "code"]).column_names == ["id", "code"]


def test_an_empty_shard_has_no_rows(tmp_path: Path) -> None:
    task = stored_task(str(tmp_path), num_rows=0, num_rejects=2)
    assert read_code_shard(STORE, str(tmp_path / "codes" / task.code_file.name), IDENTITY).num_rows == 0
    assert task.rejects_file is not None
    assert read_rejects(STORE, str(tmp_path / "rejects" / task.rejects_file.name), IDENTITY).num_rows == 2


def test_no_single_flipped_bit_passes(shard: Path) -> None:
    data = shard.read_bytes()
    generator = random.Random(20261120)
    for _ in range(300):
        position = generator.randrange(len(data) * 8)
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        shard.write_bytes(flipped)
        with pytest.raises(CorruptFile, match=shard.name):
            read_code_shard(STORE, str(shard), IDENTITY)


def test_page_checksums_find_a_flipped_code_without_the_file_name(shard: Path) -> None:
    """What other Parquet readers have to go by."""
    data = bytearray(shard.read_bytes())
    data[data.index(random_codes(5).packed.tobytes())] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(pa.BufferReader(bytes(data)), page_checksum_verification=True)


@pytest.mark.parametrize("num_kept", [0, 4, 11, 500])
def test_truncated_files_are_named(shard: Path, num_kept: int) -> None:
    shard.write_bytes(shard.read_bytes()[:num_kept])
    with pytest.raises(
        CorruptFile, match=rf"{shard.name} is corrupt: its {num_kept} bytes have sha256 .*restore the file"
    ):
        read_code_shard(STORE, str(shard), IDENTITY)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\xff" * 4 + b"PAR1", b"not a Parquet file, " * 9])
def test_wrong_files_under_a_right_name_are_refused(shard: Path, data: bytes) -> None:
    with pytest.raises(CorruptFile, match="does not end like a Parquet file"):
        read_code_shard(STORE, str(store_named(shard, data)), IDENTITY)


def test_a_missing_file_is_not_an_empty_one(shard: Path) -> None:
    shard.unlink()
    with pytest.raises(CorruptFile, match=rf"{shard.name}.*it is not there; restore the file from a backup, or encode"):
        read_code_shard(STORE, str(shard), IDENTITY)


def test_another_model_is_refused_with_both_fingerprints(shard: Path) -> None:
    other = replace(IDENTITY, model_fingerprint="ef" * 32)
    with pytest.raises(ModelMismatch, match=f"{'ab' * 32}, the model given is {'ef' * 32}"):
        read_code_shard(STORE, str(shard), other)


@pytest.mark.parametrize(
    ("key", "value", "error", "match"),
    [
        ("schema_version", "3", StorageError, "was written by v3, this reads <= v1"),
        ("num_bits", "24", CorruptFile, "num_bits is '24', expected '20'"),
        ("bit_order", "lsb_first", CorruptFile, "bit_order is 'lsb_first', expected 'msb_first'"),
    ],
)
def test_metadata_is_checked(shard: Path, key: str, value: str, error: type[Exception], match: str) -> None:
    forged = forge(shard, pq.read_table(shard), metadata={**file_metadata(IDENTITY, ""), key: value})
    with pytest.raises(error, match=match):
        read_code_shard(STORE, str(forged), IDENTITY)


def as_type(name: str, new_type: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, table[name].cast(new_type))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda table: table.drop_columns("label"), "column 'label' is missing"),
        (lambda table: table.append_column("extra", table["id"]), "column 'extra' is not a column of this collection"),
        (as_type("id", pa.int32()), "column 'id' is int32, expected int64 not null"),
        (as_type("code", pa.binary()), r"column 'code' is binary, expected fixed_size_binary\[3\] not null"),
    ],
)
def test_schema_drift_is_named(shard: Path, change: Callable[[pa.Table], pa.Table], match: str) -> None:
    table = pq.read_table(shard)
    small_ids = table.set_column(0, table.schema.field("id"), pa.array(range(5)))
    with pytest.raises(CorruptFile, match=match):
        read_code_shard(STORE, str(forge(shard, change(small_ids))), IDENTITY)


class CanaryType(pa.ExtensionType):  # type: ignore[misc]
    """An extension type whose deserialisation leaves a trace, as a hostile one would."""

    num_deserialised = 0

    def __init__(self) -> None:
        super().__init__(pa.string(), "bitquarry.tests.canary")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> CanaryType:
        cls.num_deserialised += 1
        return cls()


def test_extension_types_are_refused_before_their_code_runs(shard: Path) -> None:
    pa.register_extension_type(CanaryType())
    try:
        table = pq.read_table(shard)
        labels = pa.ExtensionArray.from_storage(CanaryType(), table["label"].combine_chunks())
        forged = forge(shard, table.set_column(16, "label", labels), store_schema=True)
        CanaryType.num_deserialised = 0
        with pytest.raises(CorruptFile, match="serialized Arrow schema, which may name extension types"):
            read_code_shard(STORE, str(forged), IDENTITY)
        assert CanaryType.num_deserialised == 0
        pq.ParquetFile(forged).schema_arrow  # noqa: B018 - the trap is armed: pyarrow alone does run the code
        assert CanaryType.num_deserialised > 0
    finally:
        pa.unregister_extension_type("bitquarry.tests.canary")


def test_users_text_in_a_shard_is_not_taken_for_a_schema(tmp_path: Path) -> None:
    rows = [replace(row, key="ARROW:schema", label="ARROW:schema") for row in encoded_rows(2)]
    task = write_task(STORE, settings_for(str(tmp_path), num_items=2), rows, random_codes(2), [])
    assert read_code_shard(STORE, str(tmp_path / "codes" / task.code_file.name), IDENTITY).num_rows == 2
