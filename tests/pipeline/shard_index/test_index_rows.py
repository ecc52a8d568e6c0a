from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import UsageError
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_rows import IndexRows
from pipeline.shard_index.shard_fetch import ShardFetcher
from tests.pipeline.shard_index.changed_examples import Growth, fetcher_of, grow
from tests.pipeline.shard_index.index_examples import make_corpus, plan_for

CORPUS = make_corpus(50)


@pytest.fixture(scope="module", params=[1, 3])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> IndexRows:
    catalog: Path = tmp_path_factory.mktemp("catalog")
    table = CORPUS.table(slice(None)).append_column("height", pa.array([None, *range(1, 50)], pa.int32()))
    plan = plan_for(str(catalog), CORPUS, num_shards=request.param)
    manifest = build_generation(LocalStore(), plan, [table])
    return IndexRows.open(manifest, ShardFetcher(str(catalog), LocalStore()))


def test_rows_of_all_shards_in_order(rows: IndexRows) -> None:
    assert np.array_equal(rows.codes.packed, CORPUS.codes.packed)
    assert np.array_equal(rows.ids, CORPUS.ids)
    assert rows.column("key").to_pylist() == [CORPUS.key(row) for row in range(50)]
    assert rows.values("key", [49, 0, 49]) == [CORPUS.key(row) for row in (49, 0, 49)]


def test_numbers_with_nulls(rows: IndexRows) -> None:
    numbers = rows.numbers("height")
    assert np.isnan(numbers[0])
    assert numbers[1:].tolist() == list(range(1, 50))


def test_columns_that_are_not_there_or_no_numbers(rows: IndexRows) -> None:
    with pytest.raises(UsageError, match="index photos has no column 'size'; known: key, uri, label, height"):
        rows.column("size")
    with pytest.raises(UsageError, match="'label' of index photos is string, no number; numbers: height"):
        rows.numbers("label")


def test_rows_that_were_added_and_deleted(tmp_path: Path) -> None:
    part = [row % 3 for row in range(50)]
    growth = Growth(part=part, dead=[row % 5 == 2 for row in range(50)])
    manifest = grow(tmp_path, CORPUS, growth)
    rows = IndexRows.open(manifest, fetcher_of(tmp_path))
    living = growth.living
    assert np.array_equal(rows.ids, CORPUS.ids[living])
    assert np.array_equal(rows.codes.packed, CORPUS.codes.packed[living])
    assert rows.column("key").to_pylist() == [CORPUS.key(row) for row in living]
    assert rows.values("label", [3, 0]) == [CORPUS.labels[row] for row in living[[3, 0]]]
    stored = np.concatenate([np.flatnonzero(np.array(part) == number) for number in range(3)])
    places = np.flatnonzero(np.isin(stored, living))
    assert np.array_equal(CORPUS.ids[stored[places]], rows.ids[rows.rows_at(places)])
