"""`ActorPool`: a bounded map over actors that replaces the dead and retries their work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError

from pipeline.errors import PipelineError, TaskFailed

_log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """`slots_per_actor` tasks run in an actor at a time; a task that raises is tried `task_attempts` times.

    A task whose actor dies is tried again slots_per_actor times as often: one deadly task takes its neighbours' tries
    too. An actor that dies while it starts is made anew, `task_attempts` in all.
    """

    num_actors: int
    slots_per_actor: int
    task_attempts: int


@dataclass(frozen=True, kw_only=True)
class _Running(Generic[Task]):
    actor: ActorHandle
    task: Task
    num_errors: int
    num_deaths: int


class ActorPool(Generic[Task, Result]):
    """Runs `call(actor, task)` for every task; at most num_actors x slots_per_actor are in flight.

    `call` returns an object ref. It may run more than once for one task (an actor that died may have done its work), so
    what it does must be safe to repeat.
    """

    def __init__(
        self,
        make_actor: Callable[[], ActorHandle],
        call: Callable[[ActorHandle, Task], Any],
        settings: PoolSettings,
    ) -> None:
        self._make_actor = make_actor
        self._call = call
        self._settings = settings
        self._actors: list[ActorHandle] = []
        self._running: dict[Any, _Running[Task]] = {}
        self.num_retried_tasks = 0
        self.num_replaced_actors = 0

    def start(self) -> None:
        """Start every actor and wait until each says `ready`; raises the actor's own error when one cannot start."""
        self._actors = [self._make_actor() for _ in range(self._settings.num_actors)]
        for place, actor in enumerate(self._actors):
            self._actors[place] = self._ready(actor)

    def map_unordered(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield results as they come. Raises `TaskFailed`, or the task's own error, when a task fails every time.

        Tasks are drawn from the iterable only when a slot is free.
        """
        waiting = iter(tasks)
        while True:
            self._fill(waiting)
            if not self._running:
                return
            done, _ = ray.wait(list(self._running), num_returns=1)
            running = self._running.pop(done[0])
            try:
                yield ray.get(done[0])
            except (RayActorError, RayTaskError) as error:
                self._retry(running, error)

    def stop(self) -> None:
        """Kill the actors; work in flight is abandoned."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []
        self._running = {}

    def _fill(self, waiting: Iterator[Task]) -> None:
        while (actor := self._free_actor()) is not None:
            try:
                task = next(waiting)
            except StopIteration:
                return
            self._submit(actor, task)

    def _free_actor(self) -> ActorHandle | None:
        loads = dict.fromkeys(self._actors, 0)
        for running in self._running.values():
            if running.actor in loads:
                loads[running.actor] += 1
        actor = min(loads, key=lambda a: loads[a])
        return actor if loads[actor] < self._settings.slots_per_actor else None

    def _submit(self, actor: ActorHandle, task: Task, *, num_errors: int = 0, num_deaths: int = 0) -> None:
        ref = self._call(actor, task)
        self._running[ref] = _Running(actor=actor, task=task, num_errors=num_errors, num_deaths=num_deaths)

    def _retry(self, running: _Running[Task], error: RayActorError | RayTaskError) -> None:
        """Try a failed task again, on a new actor if its own died."""
        died = isinstance(error, RayActorError)
        num_errors, num_deaths = running.num_errors + (not died), running.num_deaths + died
        retries = self._settings.task_attempts - 1
        if num_errors > retries or num_deaths > retries * self._settings.slots_per_actor:
            raise _final_error(error, num_errors + num_deaths)
        _log.warning("a task failed (%s), trying again", _first_line(error))
        self.num_retried_tasks += 1
        actor = self._replacement_for(running.actor) if died else running.actor
        self._submit(actor, running.task, num_errors=num_errors, num_deaths=num_deaths)

    def _replacement_for(self, dead: ActorHandle) -> ActorHandle:
        if dead in self._actors:  # the first of the dead actor's tasks to be noticed
            place = self._actors.index(dead)
            self._actors[place] = self._ready(self._make_actor())
            self.num_replaced_actors += 1
        return min(self._actors, key=lambda a: sum(r.actor == a for r in self._running.values()))

    def _ready(self, actor: ActorHandle) -> ActorHandle:
        """The actor once it is ready, or the one made in its place because it died while it started."""
        for num_deaths in range(1, self._settings.task_attempts + 1):
            try:
                ray.get(actor.ready.remote())
                return actor
            except RayTaskError as error:
                raise _final_error(error, 1) from None
            except RayActorError as error:
                # What its constructor raised, it would raise again.
                if error.actor_init_failed or num_deaths == self._settings.task_attempts:
                    raise TaskFailed(f"an actor could not start: {_cause_line(error)}") from None
                _log.warning("an actor died while it started (%s), starting another", _first_line(error))
            actor = self._make_actor()
            self.num_replaced_actors += 1
        raise AssertionError("unreachable: the last attempt returns or raises")


def _final_error(error: RayActorError | RayTaskError, attempts: int) -> Exception:
    cause = getattr(error, "cause", None)
    if isinstance(cause, PipelineError):
        return cause
    return TaskFailed(f"a task failed {attempts} times, at last with: {_cause_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _cause_line(error: Exception) -> str:
    """The last line of Ray's text, which is the worker's own error."""
    return str(error).strip().splitlines()[-1].strip()
