"""`ServedIndex`: an index that the service answers from, and the state it is in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import PipelineError
from pipeline.records import Coverage
from pipeline.routing.live_index import LiveIndex
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest


@dataclass(frozen=True, kw_only=True)
class ServedSettings:
    """`max_staleness_seconds`: from when on an index that lacks changes of its collection is not ready; None: never.
    `probe_seconds`: a shard that takes longer to answer the probe of a refresh counts as missing."""

    max_staleness_seconds: float | None = None
    probe_seconds: float = 5.0


@dataclass(frozen=True, kw_only=True)
class IndexStatus:
    """The state of a served index at its last refresh. `ready` unless there are `reasons` against it.

    `coverage`: share of the rows that answers rest on, from 0 to 1. `staleness_seconds`: age of the first change of
    the collection that the generation lacks, None when unknown. `trouble`: why the service could not follow the alias
    or tell the staleness; "" when it could.
    """

    index: str
    alias: str
    generation: str | None = None
    model_id: str | None = None
    num_bits: int | None = None
    num_rows: int = 0
    table_version: int | None = None
    coverage: float = 0.0
    failed_shards: tuple[str, ...] = ()
    staleness_seconds: float | None = None
    trouble: str = "not opened yet"
    ready: bool = False
    reasons: tuple[str, ...] = ("no generation is open: not opened yet",)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Staleness = Callable[[IndexManifest], float | None]
"""Seconds since the first change that a generation lacks, 0.0 when it lacks none, None when unknown. Blocks; raises
`PipelineError`."""
DEFAULT_SETTINGS = ServedSettings()


class ServedIndex:
    """Index `name` of `catalog` as `alias` points at it, opened and followed by `live`."""

    def __init__(
        self,
        name: str,
        alias: str,
        live: LiveIndex,
        staleness: Staleness,
        *,
        catalog: IndexCatalog,
        settings: ServedSettings = DEFAULT_SETTINGS,
    ) -> None:
        self.name = name
        self.alias = alias
        self.live = live
        self.catalog = catalog
        self._staleness = staleness
        self._settings = settings
        self._refreshing = asyncio.Lock()
        self._status = IndexStatus(index=name, alias=alias)

    def status(self) -> IndexStatus:
        """As the last refresh found it."""
        return self._status

    async def refresh(self) -> None:
        """Follow the alias, ask all shards, and look how far the collection is ahead."""
        async with self._refreshing:
            await self._refresh()

    async def _refresh(self) -> None:
        await self.live.refresh()
        if self.live.generation is None:
            trouble = self.live.trouble
            why = f"no generation is open: {trouble}"
            self._status = IndexStatus(index=self.name, alias=self.alias, trouble=trouble, reasons=(why,))
            return
        async with self.live.using() as served:
            manifest = served.session.manifest
            coverage = await asyncio.to_thread(served.session.router.coverage, self._settings.probe_seconds)
            staleness, unknown = await asyncio.to_thread(self._staleness_of, manifest)
        reasons = _missing(coverage) + self._late(staleness)
        self._status = IndexStatus(
            index=self.name,
            alias=self.alias,
            generation=manifest.generation,
            model_id=manifest.model_id,
            num_bits=manifest.num_bits,
            num_rows=manifest.num_rows,
            table_version=manifest.table_version,
            coverage=coverage.ratio,
            failed_shards=coverage.failed_shards,
            staleness_seconds=staleness,
            trouble=self.live.trouble or unknown,
            ready=not reasons,
            reasons=reasons,
        )

    async def close(self) -> None:
        """Answer what is asked already, then close."""
        await self.live.close()

    def _staleness_of(self, manifest: IndexManifest) -> tuple[float | None, str]:
        """(seconds, why they are unknown)"""
        try:
            return self._staleness(manifest), ""
        except PipelineError as error:
            return None, f"staleness is unknown: {error}"

    def _late(self, staleness: float | None) -> tuple[str, ...]:
        allowed = self._settings.max_staleness_seconds
        if allowed is None or staleness is None or staleness <= allowed:
            return ()
        return (f"the index lacks a change of {staleness:.0f} s ago, {allowed:g} s are allowed; build it again",)


def _missing(coverage: Coverage) -> tuple[str, ...]:
    if not coverage.degraded:
        return ()
    return (f"{coverage.ratio:.1%} of the rows answer; without shards {', '.join(coverage.failed_shards)}",)
