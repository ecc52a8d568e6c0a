import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.quantization.lookup_tables import LookupTables
from pipeline.errors import UsageError
from pipeline.evaluation.code_distances import (
    Ranking,
    RerankedSide,
    code_distances,
    reranked_distances,
    table_distances,
)

BITS = np.random.default_rng(0).random((30, 36)) < 0.3
QUERIES, DATABASE = BinaryCodes.from_bits(BITS[:5]), BinaryCodes.from_bits(BITS[5:])


@pytest.mark.parametrize(("ranking", "num_tables"), [("hamming", 1), ("summed", 3)])
def test_bit_distances_equal_loops(ranking: Ranking, num_tables: int) -> None:
    distances = code_distances(QUERIES, DATABASE, ranking, num_tables)
    expected = [[int((query != item).sum()) for item in BITS[5:]] for query in BITS[1:4]]
    assert distances.rows(slice(1, 4)).tolist() == expected
    assert (distances.num_distances, distances.nothing_shared) == (37, None)


@pytest.mark.parametrize("num_tables", [2, 3, 12])
def test_collisions_equal_loops(num_tables: int) -> None:
    tables = BITS.reshape(30, num_tables, -1)
    expected = [
        [sum((a != b).any() for a, b in zip(query, item, strict=True)) for item in tables[5:]] for query in tables[:5]
    ]
    distances = code_distances(QUERIES, DATABASE, "collisions", num_tables)
    assert distances.rows(slice(None)).tolist() == expected
    assert distances.rows(slice(2, 4)).tolist() == expected[2:4]
    assert (distances.num_distances, distances.nothing_shared) == (num_tables + 1, num_tables)


def test_reranking_orders_candidates_by_their_features() -> None:
    features = np.random.default_rng(1).standard_normal((30, 4)).astype(np.float32)
    sides = RerankedSide(codes=QUERIES, features=features[:5]), RerankedSide(codes=DATABASE, features=features[5:])
    distances = reranked_distances(*sides, 9)
    rows = distances.rows(slice(1, 4))
    tables = BITS.reshape(30, 9, -1)
    num_candidates = 0
    for row, query in enumerate(range(1, 4)):
        for item in range(25):
            shared = any((a == b).all() for a, b in zip(tables[query], tables[5 + item], strict=True))
            num_candidates += shared
            expected = float(((features[query] - features[5 + item]) ** 2).sum()) if shared else np.inf
            assert rows[row, item] == pytest.approx(expected, rel=1e-4)
    assert 0 < num_candidates < 75
    assert distances.num_distances is None
    assert distances.nothing_shared == np.inf


def test_tables_are_looked_up_and_added() -> None:
    values = np.random.default_rng(2).random((3, 4, 256)).astype(np.float32)
    codes = BinaryCodes(np.random.default_rng(3).integers(0, 256, (6, 4)).astype(np.uint8), 32)
    distances = table_distances(LookupTables(values), codes)
    assert (distances.num_queries, distances.num_database, distances.num_distances) == (3, 6, None)
    for query, row in zip((1, 2), distances.rows(slice(1, 3)), strict=True):
        expected = [sum(values[query, m, byte] for m, byte in enumerate(code)) for code in codes.packed]
        np.testing.assert_allclose(row, expected, rtol=1e-6)
    with pytest.raises(ShapeMismatch, match="for 32 bits, expected for 8 bits"):
        table_distances(LookupTables(values), BinaryCodes(codes.packed[:, :1].copy(), 8))


def test_plain_hamming_over_several_tables_must_be_called_summed() -> None:
    with pytest.raises(UsageError, match="use summed or collisions"):
        code_distances(QUERIES, DATABASE, "hamming", 3)


def test_unknown_ranking_is_refused() -> None:
    with pytest.raises(UsageError, match="ranking 'best'"):
        code_distances(QUERIES, DATABASE, "best", 1)  # type: ignore[arg-type]


def test_codes_of_different_width_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="8 bits"):
        code_distances(BinaryCodes(np.zeros((1, 1), np.uint8), 8), DATABASE, "summed", 1)
