import numpy as np

from operators.binary_codes import BinaryCodes
from pipeline.evaluation.code_distances import code_distances
from pipeline.evaluation.label_relevance import relevance_of
from pipeline.evaluation.neighbour_gallery import GalleryRow, GallerySettings, GallerySide, neighbour_gallery

BITS = np.random.default_rng(0).random((20, 8)) < 0.5
LABELS = [(("cat", "dog", "cow")[row % 3],) for row in range(20)]
SIDE = GallerySide(keys=[str(row) for row in range(20)], labels=LABELS, thumbnail=lambda row: b"%d" % row)


def _gallery(num_queries: int, self_columns: np.ndarray | None = None) -> tuple[GalleryRow, ...]:
    codes = BinaryCodes.from_bits(BITS)
    settings = GallerySettings(num_queries=num_queries, num_neighbours=5)
    distances, relevance = code_distances(codes, codes, "hamming", 1), relevance_of(LABELS, LABELS)
    return neighbour_gallery(distances, relevance, (SIDE, SIDE), settings, self_columns=self_columns)


def test_neighbours_follow_the_tie_rule_and_carry_their_marks() -> None:
    for row in _gallery(3):
        query = int(row.query.key)
        away = (BITS[query] != BITS).sum(axis=1)
        expected = sorted(range(20), key=lambda item: (away[item], item))[:5]
        assert [int(item.key) for item in row.neighbours] == expected
        assert [item.distance for item in row.neighbours] == [away[item] for item in expected]
        assert [item.relevant for item in row.neighbours] == [LABELS[item] == LABELS[query] for item in expected]
        assert all(item.thumbnail == item.key.encode() for item in row.neighbours)


def test_queries_cover_the_labels_before_repeating_one() -> None:
    assert {row.query.label for row in _gallery(3)} == {"cat", "dog", "cow"}
    assert len({row.query.key for row in _gallery(50)}) == 20


def test_an_item_is_no_neighbour_of_its_own() -> None:
    for row in _gallery(20, self_columns=np.arange(20)):
        assert row.query.key not in [item.key for item in row.neighbours]
