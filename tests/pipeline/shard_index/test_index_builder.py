"""A generation holds exactly the rows of the table, whatever the files and shards, and appears whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import CorruptFile, StorageError, UsageError
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_shard import open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher
from tests.pipeline.shard_index.index_examples import Corpus, make_corpus, plan_for


@settings(max_examples=25, deadline=None)
@given(num_rows=st.integers(1, 60), num_shards=st.integers(1, 9), file_rows=st.integers(1, 40))
def test_holds_every_row_in_order(
    tmp_path_factory: pytest.TempPathFactory, num_rows: int, num_shards: int, file_rows: int
) -> None:
    catalog = str(tmp_path_factory.mktemp("catalog"))
    corpus = make_corpus(num_rows)
    manifest = build_generation(
        LocalStore(), plan_for(catalog, corpus, num_shards=num_shards), corpus.tables(file_rows)
    )
    shards = [open_shard(manifest, shard.name, ShardFetcher(catalog, LocalStore())) for shard in manifest.shards]
    assert np.array_equal(np.concatenate([shard.ids for shard in shards]), corpus.ids)
    assert np.array_equal(np.concatenate([shard.codes.packed for shard in shards]), corpus.codes.packed)
    payload = pa.concat_tables([pa.Table.from_batches(shard.payload_batches) for shard in shards])
    assert payload == corpus.table(slice(None)).drop_columns(["id", "code"])
    sizes = [shard.num_rows for shard in shards]
    assert len(sizes) == min(num_shards, num_rows)
    assert max(sizes) - min(sizes) <= 1


def test_manifest_says_what_was_built(tmp_path: Path) -> None:
    corpus = make_corpus(10)
    plan = plan_for(str(tmp_path), corpus)
    manifest = build_generation(LocalStore(), plan, corpus.tables(4))
    assert (manifest.collection, manifest.table_version, manifest.num_bits) == ("pictures", 4, 12)
    assert (manifest.model_id, manifest.model_fingerprint) == (plan.model_id, plan.model_fingerprint)
    assert manifest.builder.startswith("bitquarry ")
    assert "-v000004-" in manifest.generation
    assert IndexCatalog(str(tmp_path), LocalStore()).manifest("photos", manifest.generation) == manifest


def test_generations_of_one_moment_differ_and_sort_by_time(tmp_path: Path) -> None:
    corpus = make_corpus(5)
    plan = plan_for(str(tmp_path), corpus)
    built = [build_generation(LocalStore(), plan, corpus.tables(9)).generation for _ in range(5)]
    assert built == sorted(set(built))


def test_fewer_rows_than_shards_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = make_corpus(3)
    with caplog.at_level(logging.WARNING):
        build_generation(LocalStore(), plan_for(str(tmp_path), corpus, num_shards=8), corpus.tables(9))
    assert "3 rows make 3 shards" in caplog.text


@pytest.mark.parametrize("num_shards", [0, -1, 4097, True, 2.0])
def test_refuses_num_shards(tmp_path: Path, num_shards: Any) -> None:
    with pytest.raises(UsageError, match="num_shards = "):
        plan_for(str(tmp_path), make_corpus(3), num_shards=num_shards)


def test_refuses_an_empty_collection_and_a_bad_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"collection pictures has no rows at version 4; encode"):
        replace(plan_for(str(tmp_path), make_corpus(3)), num_rows=0)
    with pytest.raises(UsageError, match="index name"):
        plan_for(str(tmp_path), make_corpus(3), index="../models")


def broken_corpus(change: str) -> tuple[Corpus, Iterator[pa.Table]]:
    corpus = make_corpus(12)
    if change == "repeated":
        return corpus, iter([corpus.table(slice(0, 6)), corpus.table(slice(5, 11))])
    if change == "unordered":
        return corpus, iter([corpus.table(slice(6, 12)), corpus.table(slice(0, 6))])
    if change == "too few":
        return corpus, iter([corpus.table(slice(0, 11))])
    return make_corpus(11), corpus.tables(6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("repeated", f"1 ids are repeated or out of order: {make_corpus(12).ids[5]}"),
        ("unordered", r"1 ids are repeated or out of order"),
        ("too few", "hold 11 rows, its log says 12"),
        ("too many", "hold more rows, its log says 11"),
    ],
)
def test_broken_rows_leave_no_generation(tmp_path: Path, change: str, reason: str) -> None:
    corpus, tables = broken_corpus(change)
    with pytest.raises(CorruptFile, match=reason):
        build_generation(LocalStore(), plan_for(str(tmp_path), corpus), tables)
    assert IndexCatalog(str(tmp_path), LocalStore()).generations("photos") == ()
    assert list((tmp_path / "indexes" / "photos").iterdir()) == []


def test_an_error_in_the_middle_leaves_no_generation(tmp_path: Path) -> None:
    corpus = make_corpus(12)

    def tables() -> Iterator[pa.Table]:
        yield corpus.table(slice(0, 7))
        raise StorageError("the source went away")

    with pytest.raises(StorageError, match="went away"):
        build_generation(LocalStore(), plan_for(str(tmp_path), corpus), tables())
    assert list((tmp_path / "indexes" / "photos").iterdir()) == []


def test_sliced_and_chunked_input(tmp_path: Path) -> None:
    corpus = make_corpus(20)
    whole = pa.concat_tables([corpus.table(slice(0, 8)), corpus.table(slice(8, 20))])
    rows = Corpus(corpus.codes[slice(3, 20)], corpus.ids[3:], corpus.labels[3:])
    manifest = build_generation(LocalStore(), plan_for(str(tmp_path), rows), iter([whole.slice(3)]))
    shard = open_shard(manifest, manifest.shards[0].name, ShardFetcher(str(tmp_path), LocalStore()))
    assert np.array_equal(shard.codes.packed, corpus.codes.packed[3 : 3 + shard.num_rows])


def test_refuses_codes_of_another_width(tmp_path: Path) -> None:
    corpus = make_corpus(4)
    plan = replace(plan_for(str(tmp_path), corpus), num_bits=32)
    with pytest.raises(CorruptFile, match="expected 4 bytes"):
        build_generation(LocalStore(), plan, corpus.tables(4))
