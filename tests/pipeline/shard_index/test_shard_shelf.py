"""What two generations share is opened once; answers are those of a searcher that opened everything itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from operators.search.hamming_flat import search_flat
from pipeline.errors import CorruptFile
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher
from pipeline.shard_index.shard_shelf import ShardShelf
from tests.oracles import same_answer
from tests.pipeline.shard_index.changed_examples import Growth, fetcher_of, grow
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus, make_queries, plan_for


def spec_of(catalog: Path, manifest: IndexManifest) -> SearcherSpec:
    return SearcherSpec(
        catalog=str(catalog),
        index="photos",
        generation=manifest.generation,
        shard_names=tuple(shard.name for shard in manifest.shards),
    )


def test_shards_with_the_same_bytes_are_opened_once(tmp_path: Path) -> None:
    corpus, queries = make_corpus(30), make_queries(4)
    first, second = build_example(tmp_path, corpus), build_example(tmp_path, corpus)
    shelf = ShardShelf()
    before = shelf.searcher(spec_of(tmp_path, first))
    # Were they read again, this would be found.
    flip_byte(tmp_path / "indexes" / "photos" / second.generation / second.shards[1].codes.name)
    after = shelf.searcher(spec_of(tmp_path, second))
    assert shelf.num_shards == 3
    expected = ShardSearcher.open(spec_of(tmp_path, first)).search(queries, 7)
    assert same_answer(before.search(queries, 7), expected)
    assert same_answer(after.search(queries, 7), expected)


def test_shards_are_kept_until_no_generation_uses_them(tmp_path: Path) -> None:
    corpus, queries = make_corpus(30), make_queries(4)
    first, second = build_example(tmp_path, corpus), build_example(tmp_path, corpus)
    shelf = ShardShelf()
    searcher = shelf.searcher(spec_of(tmp_path, first))
    shelf.searcher(spec_of(tmp_path, second))
    shelf.forget(first.generation)
    assert shelf.num_shards == 3
    shelf.forget(second.generation)
    assert shelf.num_shards == 0
    assert searcher.search(queries, 5).counts.tolist() == [5] * 4
    shelf.forget("never seen")


def test_a_generation_that_fails_to_open_leaves_nothing(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, make_corpus(30))
    flip_byte(tmp_path / "indexes" / "photos" / manifest.generation / manifest.shards[2].codes.name)
    shelf = ShardShelf()
    with pytest.raises(CorruptFile, match="shard-00002-of-00003"):
        shelf.searcher(spec_of(tmp_path, manifest))
    assert shelf.num_shards == 0


def test_equal_files_that_are_read_differently_are_different_shards(tmp_path: Path) -> None:
    catalog, corpus = str(tmp_path), make_corpus(30)
    plans = [replace(plan_for(catalog, corpus, num_shards=1), num_bits=num_bits) for num_bits in (12, 11)]
    corpus.codes.packed[:, 1] &= 0xE0  # as codes of 11 bits, whose padding is 0
    manifests = [build_generation(open_store(catalog), plan, corpus.tables(10)) for plan in plans]
    assert manifests[0].shards[0].codes.sha256 == manifests[1].shards[0].codes.sha256
    shelf = ShardShelf()
    for manifest in manifests:
        shelf.searcher(spec_of(tmp_path, manifest))
    assert shelf.num_shards == 2


def test_a_changed_generation_reads_only_what_is_new(tmp_path: Path) -> None:
    corpus, queries = make_corpus(30), make_queries(4)
    shelf, fetcher = ShardShelf(), fetcher_of(tmp_path)
    old = grow(tmp_path, corpus, Growth(part=[0] * 30, dead=[False] * 30))
    shelf.searcher(spec_of(tmp_path, old))
    for shard in old.shards:
        for file in shard.files:
            if file != shard.ids:
                # What is open stays open; to open it again would fail.
                (tmp_path / "indexes" / "photos" / old.generation / file.name).unlink()
    new = change_generation(fetcher, old, GenerationChange(table_version=4, deleted=corpus.ids[[3, 25]]))
    searcher = shelf.searcher(spec_of(tmp_path, new))
    living = np.setdiff1d(np.arange(30), [3, 25])
    expected = search_flat(corpus.codes[living], corpus.ids[living], queries, k=7)
    assert same_answer(searcher.search(queries, 7), expected)
    assert (searcher.num_rows, shelf.num_shards) == (28, 2)
    assert searcher.ids_of_key(corpus.key(3)) == []
    shelf.forget(old.generation)
    assert shelf.num_shards == 2
