"""Planning: committed tasks are skipped, vanished ones superseded, ids never shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from operators.decoders.image_decoder import DecodeLimits
from pipeline.code_shards.item_ids import id_prefix
from pipeline.code_shards.shard_name import ShardName
from pipeline.encoding.encode_order import EncodeOrder, encode_settings_sha256, source_id_of, task_id_of
from pipeline.encoding.encode_plan import EncodePlan
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.source import SourceTask
from pipeline.sources.task_part import TaskPart

MODEL, SETTINGS = "m" * 64, "s" * 64
Digests = st.lists(st.integers(0, 30), unique=True, max_size=12)


@dataclass(frozen=True)
class NoPart(TaskPart):
    """A part that planning never reads."""

    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        raise AssertionError("planning opened an item")


def tasks(digests: Sequence[int]) -> list[SourceTask]:
    return [SourceTask(source_uri="/s", digest=f"{d:032x}", num_items=10, part=NoPart()) for d in digests]


def shard(task: SourceTask, *, source: str = "/s", salt: int = 0) -> ShardName:
    task_id = task_id_of(task, model_fingerprint=MODEL, settings_sha256=SETTINGS)
    return ShardName(source_id=source_id_of(source), task_id=task_id, salt=salt, attempt="a" * 16, sha256="f" * 64)


def plan_of(committed: Sequence[ShardName]) -> EncodePlan:
    return EncodePlan(source_uri="/s", model_fingerprint=MODEL, settings_sha256=SETTINGS, committed=committed)


@given(Digests, Digests)
def test_new_committed_and_superseded_tasks(committed: list[int], listed: list[int]) -> None:
    plan = plan_of([shard(task) for task in tasks(committed)])
    orders = list(plan.orders(tasks(listed)))
    assert [int(order.task.digest, 16) for order in orders] == [d for d in listed if d not in committed]
    assert plan.num_committed_tasks == len(set(listed) & set(committed))
    assert plan.num_committed_items == 10 * plan.num_committed_tasks
    superseded = {name.task_id for name in plan.superseded()}
    assert superseded == {shard(task).task_id for task in tasks(sorted(set(committed) - set(listed)))}


def test_shards_of_another_source_are_neither_skipped_nor_superseded() -> None:
    (task,) = tasks([1])
    plan = plan_of([shard(task, source="/other")])
    (order,) = plan.orders([task])
    assert plan.superseded() == ()
    assert id_prefix(order.task_id, order.salt) != shard(task).prefix  # the ids are taken: another salt


def test_a_task_listed_twice_is_encoded_once() -> None:
    plan = plan_of([])
    assert len(list(plan.orders(tasks([1, 2]) + tasks([2, 1])))) == 2
    assert plan.num_items == 20


def test_task_id_depends_on_content_model_and_settings() -> None:
    (one, two) = tasks([1, 2])
    ids = {
        task_id_of(one, model_fingerprint=MODEL, settings_sha256=SETTINGS),
        task_id_of(two, model_fingerprint=MODEL, settings_sha256=SETTINGS),
        task_id_of(one, model_fingerprint="n" * 64, settings_sha256=SETTINGS),
        task_id_of(one, model_fingerprint=MODEL, settings_sha256="t" * 64),
    }
    assert len(ids) == 4


def test_settings_digest_changes_with_limits_and_carried_columns() -> None:
    digests = {
        encode_settings_sha256(DecodeLimits(), {}),
        encode_settings_sha256(DecodeLimits(max_pixels=10), {}),
        encode_settings_sha256(DecodeLimits(max_bytes=10), {}),
        encode_settings_sha256(DecodeLimits(), {"title": "string"}),
    }
    assert len(digests) == 4


def test_every_order_has_an_attempt_of_its_own() -> None:
    (task,) = tasks([1])
    attempts = {EncodeOrder(task=task, task_id="0" * 32).attempt for _ in range(50)}
    assert len(attempts) == 50
