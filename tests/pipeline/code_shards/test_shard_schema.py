from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline.code_shards.shard_schema import (
    CollectionIdentity,
    check_schema_version,
    code_schema,
    logical_schema,
    rejects_schema,
)
from pipeline.errors import CorruptFile, SettingsError, StorageError
from tests.pipeline.code_shards.shard_examples import IDENTITY

DESIGN = """id key uri content_sha256 code pq_code media_type parent_key start_seconds end_seconds width height
source_etag task_id model_id encoded_at label price stock"""


def test_columns_are_those_of_the_design_in_order() -> None:
    schema = code_schema(IDENTITY)
    assert schema.names == DESIGN.split()
    assert schema.field("code").type == pa.binary(3)
    assert schema.field("encoded_at").type == pa.timestamp("us", tz="UTC")
    optional = {"pq_code", "parent_key", "start_seconds", "end_seconds", "label", "price", "stock"}
    assert {column.name for column in schema if column.nullable} == optional


@pytest.mark.parametrize("schema", [code_schema(IDENTITY), rejects_schema()])
def test_the_log_knows_no_fixed_size_binary(schema: pa.Schema) -> None:
    logical = logical_schema(schema)
    assert logical.names == schema.names
    assert not [column for column in logical if pa.types.is_fixed_size_binary(column.type)]


@pytest.mark.parametrize(
    ("carried", "match"),
    [
        ({"code": "string"}, "carried column 'code': this name is taken"),
        ({"": "string"}, "carried column ''"),
        ({"ARROW:schema": "string"}, "not allowed"),
        ({"tags": "list"}, "has type 'list'; expected one of string, int64, double, bool"),
    ],
)
def test_carried_columns_are_checked(carried: dict[str, str], match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        CollectionIdentity(model_id="m@1", model_fingerprint="ab" * 32, num_bits=8, carried=carried)


def test_a_newer_version_is_refused_by_name() -> None:
    check_schema_version("s3://b/file", "1")
    with pytest.raises(StorageError, match="s3://b/file was written by v3, this reads <= v1; upgrade"):
        check_schema_version("s3://b/file", "3")
    with pytest.raises(CorruptFile, match="schema_version is None"):
        check_schema_version("s3://b/file", None)
