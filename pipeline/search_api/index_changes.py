"""`IndexChanges`: what a caller with the right to write can do to an index; the jobs put the work behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ChangeResult:
    """`generation` holds the change. `not_found`: ids (as digits) and keys that named no item."""

    index: str
    generation: str
    num_deleted: int
    not_found: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IndexChanges:
    """Each call blocks until the change is committed, and raises `PipelineError`.

    `delete(index, ids, keys)`; `set_alias(index, alias, generation)` and `rollback_alias(index, alias)` give the
    generation that the alias points at then.
    """

    delete: Callable[[str, Sequence[int], Sequence[str]], ChangeResult]
    set_alias: Callable[[str, str, str], str]
    rollback_alias: Callable[[str, str], str]
