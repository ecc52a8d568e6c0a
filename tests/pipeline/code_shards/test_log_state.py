from __future__ import annotations

from dataclasses import replace

from pipeline.code_shards.log_state import CommittedShard, LogState, TableSnapshot
from pipeline.code_shards.shard_name import ShardName
from tests.pipeline.code_shards.shard_examples import SOURCE_ID, attempt_of, task_id_of


def shard_of(number: int, *, attempt: int = 1) -> CommittedShard:
    name = ShardName(
        source_id=SOURCE_ID, task_id=task_id_of(number), salt=0, attempt=attempt_of(attempt), sha256=f"{number:064x}"
    )
    return CommittedShard(name=name, size_bytes=10, num_rows=number)


def test_adding_and_removing_leaves_what_was_there() -> None:
    state = LogState(version=0, transaction=0)
    for number in range(5):
        state.add(shard_of(number))
    for number in (0, 3):
        state.remove(shard_of(number).name.file_name)
    left = [shard_of(number) for number in (1, 2, 4)]
    assert state.shards == {shard.name.file_name: shard for shard in left}
    assert state.by_task == {shard.name.task: shard.name.file_name for shard in left}
    assert state.prefixes == {shard.name.prefix for shard in left}


def test_a_snapshot_is_in_order_of_ids_and_stays_as_it_was() -> None:
    state = LogState(version=7, transaction=0)
    for number in range(20):
        state.add(shard_of(number))
    snapshot = TableSnapshot.of(state)
    state.remove(shard_of(3).name.file_name)
    prefixes = [shard.name.prefix for shard in snapshot.shards]
    assert prefixes == sorted(prefixes)
    assert snapshot.prefixes() == frozenset(prefixes)
    assert (snapshot.version, snapshot.num_rows, len(snapshot.shards)) == (7, sum(range(20)), 20)


def test_tasks_are_told_apart_by_source() -> None:
    mine, other = shard_of(1), shard_of(1)
    other = replace(other, name=replace(other.name, source_id="6" * 16))
    snapshot = TableSnapshot(version=1, shards=(mine, other))
    assert snapshot.tasks_of(SOURCE_ID) == {task_id_of(1): mine}
    assert snapshot.tasks_of("6" * 16) == {task_id_of(1): other}
