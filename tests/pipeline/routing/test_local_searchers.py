"""Ports run in the executor's threads and keep the searcher's own errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.shard_index.search_scope import EVERYTHING, ColumnCondition, SearchScope
from tests.pipeline.routing.port_examples import open_ports
from tests.pipeline.shard_index.index_examples import build_example, make_corpus, make_queries


def test_every_call(tmp_path: Path) -> None:
    corpus = make_corpus(10)
    manifest = build_example(tmp_path, corpus, num_shards=2)
    with ThreadPoolExecutor(2) as executor:
        first, second = open_ports(tmp_path, manifest, executor)
        assert first.shard_names == ("shard-00000-of-00002",)
        assert first.name != second.name
        assert second.search(make_queries(3), 2, EVERYTHING).result().num_queries == 3
        assert second.payload(corpus.ids[7:8]).result().column("key").to_pylist() == [corpus.key(7)]
        assert np.array_equal(first.codes_of(corpus.ids[2:3]).result().packed, corpus.codes.packed[2:3])
        assert first.ids_of_key(corpus.key(4)).result() == [corpus.ids[4]]
        with pytest.raises(UsageError, match="no column 'nope'"):
            first.search(make_queries(1), 2, SearchScope(where=(ColumnCondition.parse("nope=1"),))).result()
