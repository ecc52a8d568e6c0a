import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from pipeline.errors import UsageError
from pipeline.evaluation.code_distances import Ranking, code_distances

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


def test_plain_hamming_over_several_tables_must_be_called_summed() -> None:
    with pytest.raises(UsageError, match="use summed or collisions"):
        code_distances(QUERIES, DATABASE, "hamming", 3)


def test_unknown_ranking_is_refused() -> None:
    with pytest.raises(UsageError, match="ranking 'best'"):
        code_distances(QUERIES, DATABASE, "best", 1)  # type: ignore[arg-type]


def test_codes_of_different_width_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="8 bits"):
        code_distances(BinaryCodes(np.zeros((1, 1), np.uint8), 8), DATABASE, "summed", 1)
