"""The encode job: a source's pictures to a collection of codes, resumed by running the same command again."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, TypeVar

import psutil
from ray.actor import ActorHandle

from pipeline.actors.actor_pool import ActorPool, PoolSettings
from pipeline.actors.decoder_task import DecoderSettings
from pipeline.actors.encoder_actor import EncoderSpec, RemoteEncoderActor
from pipeline.actors.encoder_placement import EncoderPlacement, place_encoders
from pipeline.actors.ray_session import ray_session
from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.committer import CommitOutcome, CommitSettings, Committer
from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.encoding.encode_order import EncodeOrder
from pipeline.encoding.picture_decoding import DecodeJob
from pipeline.encoding.run_report import RunReport
from pipeline.encoding.task_encoder import ShardTarget
from pipeline.errors import CommitConflict, EmptySource
from pipeline.interrupts import raise_if_interrupted
from pipeline.jobs.encode_target import EncodeRequest, EncodeTarget, open_target
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.settings import Settings
from pipeline.telemetry import StageTimes

Item = TypeVar("Item")
OnProgress = Callable[[RunReport], None]


def encode_collection(request: EncodeRequest, settings: Settings, on_progress: OnProgress) -> RunReport:
    """Encode every task of the source that is not committed yet. Ray is joined (or started) only if there is one.

    `on_progress` sees the running report after every task. Killed at any moment, the same call finishes the rest: a
    task is committed once. Interrupted (Ctrl-C), what is finished is committed first. The report is stored under
    `<catalog>/reports/<job>/run_report.json`. Raises `ModelMismatch` when the collection was made with another model,
    `TaskFailed` when a task fails on every attempt, and what the source, the store and the table raise.
    """
    started = time.perf_counter()
    target = open_target(request, settings)
    report = _new_report(target)
    psutil.cpu_percent()
    try:
        _EncodeJob(target, settings, report, on_progress).run(started)
        report.state = "complete"
    except KeyboardInterrupt:
        report.state = "interrupted"
        raise
    finally:
        report.wall_seconds = time.perf_counter() - started
        report.cpu_busy_share = psutil.cpu_percent() / 100
        uri = join_uri(request.catalog, "reports", report.job, "run_report.json")
        open_store(request.catalog).write(uri, report.to_json().encode())
    return report


class _EncodeJob:
    """One run: listing -> orders -> encoder pool -> committer, all drawn by one loop."""

    def __init__(self, target: EncodeTarget, settings: Settings, report: RunReport, on_progress: OnProgress) -> None:
        self._target = target
        self._settings = settings
        self._report = report
        self._on_progress = on_progress
        self._times = StageTimes()
        self._flushed_at = time.perf_counter()

    def run(self, started: float) -> None:
        plan = self._target.plan(self._target.table)
        orders = plan.orders(_timed(self._target.source.tasks(), self._times, "list"))
        first = next(orders, None)  # nothing to do is found out before a table is made or Ray started
        if plan.num_tasks == 0:
            raise EmptySource(f"{self._target.source.uri}: nothing to encode; expected pictures")
        committer = self._open_committer(self._target.created_table())
        try:
            if first is not None:
                self._encode(chain([first], orders), committer, started)
            superseded = plan.superseded()
            with self._times.stage("commit"):
                self._count(committer.finish(superseded))
            self._report.num_superseded_tasks = len(superseded)
        finally:
            with self._times.stage("commit"):
                self._count(committer.flush())
            self._report.times.add(self._times.seconds)
            self._report.num_commit_conflicts = committer.num_conflicts
            self._report.table_version = committer.snapshot().version
        self._report.num_tasks_committed_before = plan.num_committed_tasks
        self._report.num_items_committed_before = plan.num_committed_items
        self._on_progress(self._report)

    def _open_committer(self, table: CodeTable) -> Committer:
        with self._times.stage("commit"):
            committer = Committer(table, CommitSettings(group_tasks=self._settings.encode.commit_every_tasks))
            committer.settle()
        return committer

    def _encode(self, orders: Iterable[EncodeOrder], committer: Committer, started: float) -> None:
        with ray_session(self._settings.ray):
            placement = place_encoders(self._settings.encode, uses_accelerator=self._target.uses_accelerator)
            pool = _encoder_pool(self._target, placement, self._settings)
            self._report.device = placement.device
            self._report.num_encoders = placement.num_encoders
            self._report.num_decoders = placement.num_encoders * placement.decoders_per_encoder
            try:
                pool.start()
                self._report.startup_seconds = time.perf_counter() - started
                for task in pool.map_unordered(orders):
                    self._take(task, committer)
                    raise_if_interrupted()
            finally:
                pool.stop()
                self._report.num_retried_tasks = pool.num_retried_tasks
                self._report.num_replaced_encoders = pool.num_replaced_actors

    def _take(self, task: EncodedTask, committer: Committer) -> None:
        self._report.add(task)
        with self._times.stage("commit"):
            self._count(committer.add(task))
            if time.perf_counter() - self._flushed_at > self._settings.encode.commit_every_seconds:
                self._count(committer.flush())
                self._flushed_at = time.perf_counter()
        self._on_progress(self._report)

    def _count(self, outcome: CommitOutcome) -> None:
        self._report.num_tasks_by_other_jobs += len(outcome.already_committed)
        if outcome.prefix_taken:
            raise CommitConflict(
                f"{len(outcome.prefix_taken)} tasks met ids that another job took meanwhile; run the same command again"
            )


def _encoder_pool(
    target: EncodeTarget, placement: EncoderPlacement, settings: Settings
) -> ActorPool[EncodeOrder, EncodedTask]:
    return ActorPool(
        _encoder_maker(_encoder_spec(target, placement, settings), placement),
        _encode_remotely,
        PoolSettings(
            num_actors=placement.num_encoders,
            slots_per_actor=placement.tasks_per_encoder,
            task_attempts=settings.encode.task_attempts,
        ),
    )


def _encode_remotely(actor: ActorHandle, order: EncodeOrder) -> Any:
    """Every try gets an attempt id of its own: what a dead or slow encoder left can never be taken for this one."""
    return actor.encode.remote(dataclasses.replace(order, attempt=uuid.uuid4().hex[:16]))


def _encoder_maker(spec: EncoderSpec, placement: EncoderPlacement) -> Callable[[], ActorHandle]:
    def make() -> ActorHandle:
        return RemoteEncoderActor.options(
            num_gpus=1 if spec.device == "cuda" else 0,
            num_cpus=placement.encoder_num_cpus,
            max_concurrency=placement.tasks_per_encoder + 1,  # and one call of `ready`
        ).remote(spec)

    return make


def _encoder_spec(target: EncodeTarget, placement: EncoderPlacement, settings: Settings) -> EncoderSpec:
    return EncoderSpec(
        catalog=target.request.catalog,
        model_id=target.model.model_id,
        model_fingerprint=target.model.fingerprint,
        device=placement.device,
        num_decoders=placement.decoders_per_encoder,
        target=ShardTarget(
            collection_uri=target.request.collection_uri,
            identity=target.identity,
            source_id=target.source_id,
            settings_sha256=target.settings_sha256,
        ),
        decoder=DecoderSettings(
            job=DecodeJob(side=target.side, limits=target.limits, batch_items=settings.encode.batch_items),
            num_cpus=settings.encode.decoder_num_cpus,
            batches_in_flight=settings.encode.batches_in_flight,
        ),
    )


def _new_report(target: EncodeTarget) -> RunReport:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return RunReport(
        job=f"encode-{target.request.collection}-{stamp}-{uuid.uuid4().hex[:6]}",
        collection=target.request.collection,
        source=target.source.uri,
        model_id=target.model.model_id,
        model_fingerprint=target.model.fingerprint,
    )


def _timed(items: Iterable[Item], times: StageTimes, stage: str) -> Iterator[Item]:
    """The same items; the seconds spent in producing them are booked to `stage`."""
    iterator = iter(items)
    while True:
        with times.stage(stage):
            item = next(iterator, None)
        if item is None:
            return
        yield item
