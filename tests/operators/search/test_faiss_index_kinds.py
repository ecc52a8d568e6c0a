"""Settings of approximate indexes."""

import faiss
import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.search.faiss_index_kinds import INDEX_KINDS, BinaryHnsw, BinaryIvf

_CODES = BinaryCodes(np.random.default_rng(0).integers(0, 256, (100, 8), dtype=np.uint8), 64)


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        (BinaryIvf, {"num_lists": 0, "num_probes": 1}, "num_lists = 0"),
        (BinaryIvf, {"num_lists": 4, "num_probes": 5}, "num_probes = 5: expected a whole number from 1 to 4"),
        (BinaryIvf, {"num_lists": 4, "num_probes": 1, "seed": -1}, "seed = -1"),
        (BinaryHnsw, {"num_links": 1}, "num_links = 1"),
        (BinaryHnsw, {"ef_construction": 0}, "ef_construction = 0"),
        (BinaryHnsw, {"ef_search": True}, "ef_search = True"),
    ],
)
def test_bad_settings_are_refused(kind: type, settings: dict[str, int], reason: str) -> None:
    with pytest.raises(InvalidSetting, match=reason):
        kind(**settings)


def test_more_lists_than_codes_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="num_lists = 101: expected at most 100"):
        BinaryIvf(num_lists=101, num_probes=1).new_index(faiss, _CODES)


def test_settings_reach_faiss() -> None:
    lists = BinaryIvf(num_lists=7, num_probes=3)
    index = lists.new_index(faiss, _CODES)
    assert lists.prepare(faiss, index)
    assert (index.nlist, index.nprobe, index.ntotal) == (7, 3, 100)
    graph = BinaryHnsw(num_links=5, ef_construction=17, ef_search=23)
    index = graph.new_index(faiss, _CODES)
    assert graph.prepare(faiss, index)
    assert (index.hnsw.nb_neighbors(1), index.hnsw.efConstruction, index.hnsw.efSearch) == (5, 17, 23)


def test_indexes_of_other_settings_are_noticed() -> None:
    lists, graph = BinaryIvf(num_lists=7, num_probes=3), BinaryHnsw(num_links=5)
    assert not lists.prepare(faiss, graph.new_index(faiss, _CODES))
    assert not graph.prepare(faiss, lists.new_index(faiss, _CODES))
    assert not BinaryHnsw(num_links=6).prepare(faiss, graph.new_index(faiss, _CODES))
    assert not BinaryIvf(num_lists=8, num_probes=3).prepare(faiss, lists.new_index(faiss, _CODES))


def test_kinds_by_name() -> None:
    assert sorted(INDEX_KINDS) == ["binary_hnsw", "binary_ivf"]
    assert all(INDEX_KINDS[name].kind == name for name in INDEX_KINDS)
