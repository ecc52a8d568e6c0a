from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.youtube_faces import YoutubeFaces


class _Small(YoutubeFaces):
    min_pictures = 5
    asked_above = 8
    queries_per_person = 3


def _fill(root: Path, counts: dict[str, int]) -> None:
    for person, count in counts.items():
        for number in range(count):
            path = root / person / str(number % 2) / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{person} {number}".encode())


@pytest.mark.parametrize("below", ["", "aligned_images_DB"])
def test_people_with_many_pictures_are_asked_for(tmp_path: Path, below: str) -> None:
    _fill(tmp_path / below, {"Ann": 9, "Bob": 8, "Cid": 4, "Dan": 12})
    data = _Small(str(tmp_path), seed=0).load()
    assert sorted(data.queries.labels) == [("Ann",)] * 3 + [("Dan",)] * 3
    assert sorted(data.database.labels) == [("Ann",)] * 6 + [("Bob",)] * 8 + [("Dan",)] * 9
    assert data.queries.read(0).decode().startswith("Ann ")
    assert not set(data.queries.keys) & set(data.database.keys)


def test_the_draw_follows_the_seed(tmp_path: Path) -> None:
    _fill(tmp_path, {"Ann": 40})
    draws = [_Small(str(tmp_path), seed=seed).load().queries.keys for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_nobody_to_ask_for_is_an_error_with_the_home(tmp_path: Path) -> None:
    _fill(tmp_path, {"Ann": 40})
    with pytest.raises(UsageError, match=r"1 people, none with more than 2,000 pictures; .*https://www\.cs\.tau"):
        YoutubeFaces(str(tmp_path), seed=0).load()
