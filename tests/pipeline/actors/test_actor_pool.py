"""The pool on a real Ray: every task once, bounded in flight, dead actors replaced, hopeless tasks reported."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from pipeline.actors.actor_pool import ActorPool, PoolSettings
from pipeline.errors import CorruptFile, TaskFailed

pytestmark = pytest.mark.usefixtures("local_ray")


class Squarer:
    """Squares numbers; dies or fails as told by files in `folder` that are used up one by one."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        if (self._folder / "broken").exists():
            raise CorruptFile("model", "gone", "train again")
        if self._used_up("start"):
            os.kill(os.getpid(), signal.SIGKILL)

    def ready(self) -> str:
        return "cpu"

    def square(self, number: int) -> tuple[int, int]:
        if self._used_up(f"kill-{number}"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._used_up(f"fail-{number}"):
            raise CorruptFile(str(number), "unlucky", "try again")
        return number, number * number

    def _used_up(self, name: str) -> bool:
        for file in sorted(self._folder.glob(f"{name}.*")):
            file.unlink()
            return True
        return False


def plan_faults(folder: Path, name: str, times: int) -> None:
    for i in range(times):
        (folder / f"{name}.{i}").touch()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ActorPool[int, tuple[int, int]]]:
    remote = ray.remote(Squarer)
    pool: ActorPool[int, tuple[int, int]] = ActorPool(
        lambda: remote.options(num_cpus=0.1, max_concurrency=3).remote(str(tmp_path)),
        lambda actor, number: actor.square.remote(number),
        PoolSettings(num_actors=2, slots_per_actor=2, task_attempts=3),
    )
    yield pool
    pool.stop()


def squares(num_tasks: int) -> list[tuple[int, int]]:
    return [(number, number * number) for number in range(num_tasks)]


def test_every_task_comes_back_once(pool: ActorPool[int, tuple[int, int]]) -> None:
    pool.start()
    assert sorted(pool.map_unordered(range(20))) == squares(20)
    assert (pool.num_retried_tasks, pool.num_replaced_actors) == (0, 0)


def test_tasks_are_drawn_only_when_a_slot_is_free(pool: ActorPool[int, tuple[int, int]]) -> None:
    drawn: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(50):
            drawn.append(number)
            yield number

    pool.start()
    for num_done, _ in enumerate(pool.map_unordered(tasks())):
        assert len(drawn) <= num_done + 4  # two actors with two slots


def test_a_killed_actor_is_replaced_and_its_tasks_are_run_again(
    pool: ActorPool[int, tuple[int, int]], tmp_path: Path
) -> None:
    plan_faults(tmp_path, "kill-3", 1)
    plan_faults(tmp_path, "kill-11", 2)
    pool.start()
    assert sorted(pool.map_unordered(range(20))) == squares(20)
    assert pool.num_replaced_actors == 3
    assert pool.num_retried_tasks >= 3


def test_a_failing_task_is_tried_again(pool: ActorPool[int, tuple[int, int]], tmp_path: Path) -> None:
    plan_faults(tmp_path, "fail-5", 2)
    pool.start()
    assert sorted(pool.map_unordered(range(8))) == squares(8)
    assert (pool.num_retried_tasks, pool.num_replaced_actors) == (2, 0)


def test_a_task_that_always_fails_ends_the_job_with_its_own_error(
    pool: ActorPool[int, tuple[int, int]], tmp_path: Path
) -> None:
    plan_faults(tmp_path, "fail-5", 99)
    pool.start()
    with pytest.raises(CorruptFile, match="5 is corrupt: unlucky; try again"):
        list(pool.map_unordered(range(8)))


def test_a_task_that_always_kills_its_actor_ends_the_job(pool: ActorPool[int, tuple[int, int]], tmp_path: Path) -> None:
    plan_faults(tmp_path, "kill-5", 99)
    pool.start()
    with pytest.raises(TaskFailed, match="failed 5 times"):
        list(pool.map_unordered(range(8)))


def test_an_actor_that_cannot_start_says_why(pool: ActorPool[int, tuple[int, int]], tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(TaskFailed, match="model is corrupt: gone; train again"):
        pool.start()


def test_an_actor_killed_while_it_starts_is_made_anew(pool: ActorPool[int, tuple[int, int]], tmp_path: Path) -> None:
    plan_faults(tmp_path, "start", 2)
    pool.start()
    plan_faults(tmp_path, "kill-3", 1)
    plan_faults(tmp_path, "start", 1)  # and the replacement of a dead one
    assert sorted(pool.map_unordered(range(20))) == squares(20)
    assert pool.num_replaced_actors == 4


def test_an_actor_that_dies_whenever_it_starts_ends_the_job(
    pool: ActorPool[int, tuple[int, int]], tmp_path: Path
) -> None:
    plan_faults(tmp_path, "start", 99)
    with pytest.raises(TaskFailed, match="an actor could not start"):
        pool.start()
    assert len(list(tmp_path.glob("start.*"))) >= 99 - 2 * 3
