from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.sources.listed_item import ListedItem
from pipeline.sources.task_cutting import MAX_TASK_RATIO, cut_tasks
from pipeline.sources.task_digest import key_hash

KEYS = st.sets(st.integers(0, 10_000), max_size=150).map(sorted)


def items(numbers: list[int]) -> list[ListedItem]:
    return [ListedItem(key=f"{number:05d}", uri="", size_bytes=1, etag="") for number in numbers]


def runs(numbers: list[int], task_items: int) -> list[tuple[int, ...]]:
    return [tuple(int(item.key) for item in run) for run in cut_tasks(items(numbers), task_items)]


def slow_runs(numbers: list[int], task_items: int) -> list[tuple[int, ...]]:
    """By the definition: look at every item's neighbours."""
    hashes = [key_hash(f"{number:05d}") for number in numbers]
    reach = task_items // 2
    found: list[list[int]] = []
    for index, number in enumerate(numbers):
        neighbors = hashes[max(0, index - reach) : index + reach + 1]
        is_start = len(neighbors) == 2 * reach + 1 and hashes[index] == min(neighbors)
        if is_start or not found or len(found[-1]) == MAX_TASK_RATIO * task_items:
            found.append([])
        found[-1].append(number)
    return [tuple(run) for run in found]


@given(KEYS, st.integers(1, 12))
def test_equals_the_definition(numbers: list[int], task_items: int) -> None:
    cut = runs(numbers, task_items)
    assert cut == slow_runs(numbers, task_items)
    assert [number for run in cut for number in run] == numbers
    assert all(0 < len(run) <= MAX_TASK_RATIO * task_items for run in cut)
    if all(len(run) < MAX_TASK_RATIO * task_items for run in cut):
        assert len(cut) <= 1 or all(len(run) >= max(1, task_items // 2) for run in cut)


@settings(max_examples=150)
@given(KEYS, st.integers(0, 10_000), st.integers(1, 12))
def test_one_new_file_changes_one_or_two_tasks(numbers: list[int], added: int, task_items: int) -> None:
    assume(added not in numbers)
    before, after = runs(numbers, task_items), runs(sorted([*numbers, added]), task_items)
    assume(all(len(run) < MAX_TASK_RATIO * task_items for run in before + after))
    assert 1 <= len(set(after) - set(before)) <= 2
    assert len(set(before) - set(after)) <= 3


def test_tasks_are_about_as_long_as_asked() -> None:
    numbers = list(range(20_000))
    lengths = [len(run) for run in runs(numbers, 100)]
    assert 90 < sum(lengths) / len(lengths) < 110
    assert max(lengths) < 400
