from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation.class_split import ClassSplit
from pipeline.evaluation.nus_wide_21 import NusWide21, NusWide21Supervised

_NUM_LISTED = 70


class _Small(NusWide21):
    num_pictures = 63
    split = ClassSplit(queries_per_class=1)


def _fill(root: Path) -> None:
    """Picture n < 63 has concepts n % 21 and (n + 1) % 21 of c00 … c20; the rest have the rare concepts r0 and r1."""
    for folder in ("ImageList", "Groundtruth/AllLabels", "Flickr/people"):
        (root / folder).mkdir(parents=True)
    names = [f"people/{number:04}.jpg" for number in range(_NUM_LISTED)]
    (root / "ImageList/Imagelist.txt").write_text("".join(name.replace("/", "\\") + "\r\n" for name in names))
    for name in names:
        (root / "Flickr" / name).write_bytes(name.encode())
    for number in range(21):
        has = [int(row < 63 and number in (row % 21, (row + 1) % 21)) for row in range(_NUM_LISTED)]
        _write_labels(root, f"c{number:02}", has)
    for number in range(2):
        _write_labels(root, f"r{number}", [int(row >= 66) for row in range(_NUM_LISTED)])


def _write_labels(root: Path, concept: str, has: list[int]) -> None:
    path = root / f"Groundtruth/AllLabels/Labels_{concept}.txt"
    path.write_text("\n".join(map(str, has)) + "\n")


def test_pictures_of_the_frequent_concepts_are_split(tmp_path: Path) -> None:
    _fill(tmp_path)
    data = _Small(str(tmp_path), seed=0).load()
    assert (len(data.queries), len(data.database), data.training) == (21, 42, None)
    for side in (data.queries, data.database):
        for row, key in enumerate(side.keys):
            number = int(key[-8:-4])
            assert side.labels[row] == tuple(sorted((f"c{number % 21:02}", f"c{(number + 1) % 21:02}")))
            assert side.read(row) == key.encode()


def test_one_concept_in_common_is_relevant(tmp_path: Path) -> None:
    _fill(tmp_path)
    data = _Small(str(tmp_path), seed=0).load()
    expected = [[bool(set(asked) & set(other)) for other in data.database.labels] for asked in data.queries.labels]
    np.testing.assert_array_equal(data.relevance()(slice(None)), expected)
    assert 0 < np.mean(expected) < 1


def test_missing_parts_are_named_with_their_home(tmp_path: Path) -> None:
    (tmp_path / "Flickr").mkdir()
    with pytest.raises(UsageError, match=r"needs ImageList/Imagelist\.txt, Groundtruth/AllLabels; .*https://lms"):
        NusWide21Supervised(str(tmp_path), seed=0).load()


def test_missing_pictures_are_counted(tmp_path: Path) -> None:
    _fill(tmp_path)
    (tmp_path / "Flickr/people/0003.jpg").unlink()
    with pytest.raises(CorruptFile, match="63 pictures with a concept, 63 expected; 1 files missing"):
        _Small(str(tmp_path), seed=0).load()
    with pytest.raises(CorruptFile, match="195,834 expected"):
        NusWide21(str(tmp_path), seed=0).load()


@pytest.mark.parametrize("has", [[1] * 69, [2] * 70])
def test_damaged_labels_are_named(tmp_path: Path, has: list[int]) -> None:
    _fill(tmp_path)
    _write_labels(tmp_path, "c03", has)
    with pytest.raises(CorruptFile, match=r"Labels_c03\.txt.*expected 70, each 0 or 1"):
        _Small(str(tmp_path), seed=0).load()


def test_fewer_concepts_are_another_data_set(tmp_path: Path) -> None:
    _fill(tmp_path)
    for number in range(3):
        (tmp_path / f"Groundtruth/AllLabels/Labels_c0{number}.txt").unlink()
    with pytest.raises(CorruptFile, match="20 files Labels_<concept>"):
        _Small(str(tmp_path), seed=0).load()
