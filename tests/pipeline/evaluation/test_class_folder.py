from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.class_folder import ClassFolder


def _fill(root: Path, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        (root / name / "deeper").mkdir(parents=True)
        for number in range(count):
            folder = root / name / ("deeper" if number % 2 else "")
            (folder / f"{number:03}.PNG").write_bytes(f"{name} {number}".encode())
        (root / name / "notes.txt").write_text("not a picture")


def test_a_tenth_of_each_class_asks_and_the_rest_answers(tmp_path: Path) -> None:
    _fill(tmp_path, {"cats": 25, "dogs": 4, "alone": 1})
    data = ClassFolder(str(tmp_path), seed=0).load()
    assert sorted(label for (label,) in data.queries.labels) == ["cats", "cats", "dogs"]
    assert len(data.database) == 27
    assert not set(data.queries.keys) & set(data.database.keys)
    for side in (data.queries, data.database):
        for row, key in enumerate(side.keys):
            assert side.read(row) == (tmp_path / key).read_bytes()
            assert side.labels[row] == (key.split("/")[0],)


def test_the_split_follows_the_seed(tmp_path: Path) -> None:
    _fill(tmp_path, {"cats": 40, "dogs": 40})
    splits = [ClassFolder(str(tmp_path), seed=seed).load().queries.keys for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        ClassFolder(str(tmp_path / "nowhere"), seed=0).load()


def test_pictures_outside_class_folders_give_no_query(tmp_path: Path) -> None:
    (tmp_path / "loose.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="holds 0 pictures in class folders"):
        ClassFolder(str(tmp_path), seed=0).load()


def test_the_folder_must_be_given() -> None:
    with pytest.raises(UsageError, match="--data"):
        ClassFolder(None, seed=0)
