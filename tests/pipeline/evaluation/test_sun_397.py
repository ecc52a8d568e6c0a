from pathlib import Path

import pytest

from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation.class_split import ClassSplit
from pipeline.evaluation.sun_397 import Sun397


def _fill(root: Path) -> None:
    (root / "ClassName.txt").write_text("/a/abbey\n/a/apse\n/a/apse/indoor\n", encoding="utf-8")
    for name in ("a/abbey", "a/apse", "a/apse/indoor", "b/not_listed"):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(4):
            (root / name / f"sun_{number}.jpg").write_bytes(f"{name} {number}".encode())


class _Small(Sun397):
    num_pictures = 12
    split = ClassSplit(queries_per_class=1)


def test_listed_classes_are_split_also_one_inside_another(tmp_path: Path) -> None:
    _fill(tmp_path)
    data = _Small(str(tmp_path), seed=0).load()
    assert sorted(data.queries.labels) == [("abbey",), ("apse",), ("apse/indoor",)]
    assert len(data.database) == 9
    for row, key in enumerate(data.database.keys):
        assert data.database.read(row).decode().split()[0] == f"{key[0]}/{data.database.labels[row][0]}"


def test_another_number_of_pictures_is_another_data_set(tmp_path: Path) -> None:
    _fill(tmp_path)
    with pytest.raises(CorruptFile, match=r"12 pictures in the folders of ClassName\.txt, 108,754 expected"):
        Sun397(str(tmp_path), seed=0).load()


def test_missing_files_are_named_with_their_home(tmp_path: Path) -> None:
    for folder in (None, str(tmp_path)):
        with pytest.raises(UsageError, match=r"needs ClassName\.txt .*SUN397\.tar\.gz from https"):
            Sun397(folder, seed=0).load()
