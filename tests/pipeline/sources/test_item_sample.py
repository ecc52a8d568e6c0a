from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.sources.item_sample import sample_items
from pipeline.sources.open_source import open_source
from pipeline.sources.source import Source
from pipeline.sources.source_settings import SourceSettings


@pytest.fixture
def source(tmp_path: Path) -> Source:
    for number in range(40):
        (tmp_path / f"{number:02d}.jpg").write_bytes(b"x")
    return open_source(SourceSettings(uri=str(tmp_path), task_items=8))


def sample(source: Source, num_items: int, seed: int) -> list[str]:
    return [item.key for item in sample_items(source, num_items=num_items, seed=seed, max_bytes=9)]


def test_every_item_is_equally_likely(source: Source) -> None:
    counts = Counter(key for seed in range(200) for key in sample(source, 10, seed))
    # 200 draws with probability 1/4: mean 50, standard deviation 6.1.
    assert len(counts) == 40
    assert all(22 < count < 78 for count in counts.values())


def test_a_larger_sample_holds_the_smaller_one_in_source_order(source: Source) -> None:
    small, large = sample(source, 5, 3), sample(source, 20, 3)
    assert set(small) < set(large)
    assert large == sorted(large)


def test_a_sample_reads_its_own_items_only(source: Source, tmp_path: Path) -> None:
    kept = sample(source, 5, 3)
    for path in tmp_path.iterdir():
        if path.name not in kept:
            path.chmod(0)
    assert sample(source, 5, 3) == kept
