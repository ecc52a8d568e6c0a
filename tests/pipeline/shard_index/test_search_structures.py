"""Generations of every kind of search: chosen, written, verified, opened again, and answered from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from operators.search import search_planner
from operators.search.hamming_flat import search_flat
from operators.search.search_planner import PlanRequest
from pipeline.errors import CorruptFile, UsageError
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_verify import verify_generation
from pipeline.shard_index.shard_fetch import ShardFetcher
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher
from tests.oracles import same_answer
from tests.pipeline.shard_index.index_examples import Corpus, flip_byte, make_corpus, make_queries, plan_for

CORPUS = make_corpus(90, num_bits=16)


def _build(catalog: Path, kind: str, corpus: Corpus = CORPUS) -> IndexManifest:
    plan = replace(plan_for(str(catalog), corpus), search_kind=kind, expected=PlanRequest(k=3))
    return build_generation(open_store(str(catalog)), plan, corpus.tables(20))


def _searcher(catalog: Path, manifest: IndexManifest) -> ShardSearcher:
    names = tuple(shard.name for shard in manifest.shards)
    return ShardSearcher.open(
        SearcherSpec(catalog=str(catalog), index="photos", generation=manifest.generation, shard_names=names)
    )


@pytest.mark.parametrize("kind", ["scan", "multi_index", "auto"])
def test_exact_kinds_answer_as_the_flat_scan(tmp_path: Path, kind: str) -> None:
    manifest = _build(tmp_path, kind)
    queries = make_queries(5, num_bits=16)
    assert same_answer(
        _searcher(tmp_path, manifest).search(queries, 7), search_flat(CORPUS.codes, CORPUS.ids, queries, k=7)
    )
    report = verify_generation(manifest, ShardFetcher(str(tmp_path), open_store(str(tmp_path))))
    assert (report.problems, report.num_files) == ((), 3 * (9 if kind == "multi_index" else 3))
    assert IndexCatalog(str(tmp_path), open_store(str(tmp_path))).manifest("photos", manifest.generation) == manifest


@pytest.mark.parametrize("kind", ["binary_ivf", "binary_hnsw"])
def test_approximate_kinds_find_what_is_there(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("faiss")
    manifest = _build(tmp_path, kind)
    answer = _searcher(tmp_path, manifest).search(CORPUS.codes, 1)
    assert (answer.distances == 0).mean() > 0.9
    assert manifest.search.kind == kind
    assert manifest.search.audit is not None
    assert "recall at 10" in manifest.search.audit


def test_a_small_index_is_scanned_and_says_why(tmp_path: Path) -> None:
    facts = _build(tmp_path, "auto").search
    assert facts.kind == "scan"
    assert "hardly better" in facts.reason
    assert facts.scan_ms is not None
    assert facts.predicted_ms == facts.measured_ms == facts.scan_ms


def test_auto_builds_tables_where_they_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_planner, "measure_seconds_per_code", lambda codes: 1e-3)
    manifest = _build(tmp_path, "auto")
    assert manifest.search.kind == "multi_index"
    assert manifest.search.measured_ms is not None
    assert manifest.search.measured_ms > 0
    assert all(len(shard.structure) == 6 for shard in manifest.shards)


def test_the_reason_for_a_scan_is_the_true_one(tmp_path: Path) -> None:
    asked = _build(tmp_path / "asked", "scan").search
    plan = replace(plan_for(str(tmp_path / "sums"), CORPUS), search_kind="auto", code_kind="quantized")
    only = build_generation(open_store(str(tmp_path / "sums")), plan, CORPUS.tables(20)).search
    assert (asked.kind, asked.reason) == ("scan", "asked for")
    assert (only.kind, only.reason[:35]) == ("scan", "quantized codes are compared by loo")


def test_a_damaged_table_is_refused_before_it_is_read(tmp_path: Path) -> None:
    manifest = _build(tmp_path, "multi_index")
    table = manifest.shards[1].structure[2]
    flip_byte(tmp_path / "indexes" / "photos" / manifest.generation / table.name)
    with pytest.raises(CorruptFile, match=table.name):
        _searcher(tmp_path, manifest)


def test_refuses_kinds_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kind = 'tree': expected auto or one of scan, multi_index"):
        _build(tmp_path, "tree")
    with pytest.raises(UsageError, match=r"'multi_index': codes of collection .* are quantized"):
        replace(plan_for(str(tmp_path), CORPUS), search_kind="multi_index", code_kind="quantized")
