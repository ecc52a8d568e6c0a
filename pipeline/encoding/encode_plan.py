"""What an encode job has to do: new tasks, tasks already committed, tasks that their source no longer has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.code_shards.item_ids import choose_salt, id_prefix
from pipeline.code_shards.shard_name import ShardName
from pipeline.encoding.encode_order import EncodeOrder, source_id_of, task_id_of
from pipeline.sources.source import SourceTask


@dataclass(kw_only=True)
class EncodePlan:
    """Walks a source's tasks once, in order, and sorts them by what the code table already holds.

    `committed`: every shard of the table at the version the job starts from. Memory is O(tasks), never O(rows).
    """

    source_uri: str
    model_fingerprint: str
    settings_sha256: str
    committed: Sequence[ShardName]
    num_tasks: int = 0
    num_items: int = 0
    num_committed_tasks: int = 0
    num_committed_items: int = 0
    _seen: set[str] = field(default_factory=set)

    @property
    def source_id(self) -> str:
        return source_id_of(self.source_uri)

    def orders(self, tasks: Iterable[SourceTask]) -> Iterator[EncodeOrder]:
        """Yield an order for each task that is not committed yet; count the others."""
        committed_ids = {shard.task_id for shard in self.committed if shard.source_id == self.source_id}
        taken_prefixes = {shard.prefix for shard in self.committed}
        for task in tasks:
            task_id = task_id_of(task, model_fingerprint=self.model_fingerprint, settings_sha256=self.settings_sha256)
            if task_id in self._seen:
                continue  # the same items listed twice, say by overlapping prefixes: encoded once
            self._seen.add(task_id)
            self.num_tasks += 1
            self.num_items += task.num_items or 0
            if task_id in committed_ids:
                self.num_committed_tasks += 1
                self.num_committed_items += task.num_items or 0
                continue
            salt = choose_salt(task_id, taken_prefixes)
            taken_prefixes.add(id_prefix(task_id, salt))
            yield EncodeOrder(task=task, task_id=task_id, salt=salt)

    def superseded(self) -> tuple[ShardName, ...]:
        """Shards of this source whose task the source no longer has. Only true once every task was walked."""
        return tuple(s for s in self.committed if s.source_id == self.source_id and s.task_id not in self._seen)
