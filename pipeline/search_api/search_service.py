"""`SearchService`: what callers can ask, with every index that is served; it knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import numpy as np

from operators.binary_codes import BinaryCodes, num_code_bytes
from pipeline.errors import PipelineError, UnknownName, UsageError
from pipeline.routing.query_checks import MAX_K
from pipeline.routing.search_session import SearchSession
from pipeline.search_api.answer_json import (
    JsonObject,
    answer_facts,
    code_json,
    hits_json,
    item_json,
    milliseconds,
    ties_json,
)
from pipeline.search_api.index_changes import IndexChanges
from pipeline.search_api.prepared_query import PreparedQuery, QueryPreparer
from pipeline.search_api.problems import problem_of
from pipeline.search_api.query_request import BatchRequest, CompareRequest, EncodeRequest, QueryRequest, SearchTerms
from pipeline.search_api.query_terms import check_limit, query_terms
from pipeline.search_api.ranked_queries import RankingTerms, rank_queries
from pipeline.search_api.served_index import ServedIndex
from pipeline.search_api.service_limits import DEFAULT_LIMITS, ServiceLimits

# `rank_queries` asks for so many more.
_EXTRA = 2


class SearchService:
    """Answers are JSON objects. Every call raises `PipelineError` or `OperatorError` for what it cannot do. For one
    event loop. `changes` None: nobody may change an index through this service."""

    def __init__(
        self,
        indexes: Mapping[str, ServedIndex],
        changes: IndexChanges | None = None,
        limits: ServiceLimits = DEFAULT_LIMITS,
    ) -> None:
        if limits.max_k > MAX_K - _EXTRA:
            raise UsageError(f"max_k = {limits.max_k}: expected at most {MAX_K - _EXTRA:,}")
        self.indexes = dict(indexes)
        self.changes = changes
        self.limits = limits
        self._preparer = QueryPreparer(limits)

    def served(self, name: str) -> ServedIndex:
        """Raises `UnknownName`."""
        if name not in self.indexes:
            raise UnknownName("index", name, tuple(sorted(self.indexes)))
        return self.indexes[name]

    async def query(self, name: str, asked: QueryRequest, image: bytes | None = None) -> JsonObject:
        """The hits of one query; `image` stands for the field `image_b64`."""
        started = time.perf_counter()
        terms = self._terms(asked)
        async with self.served(name).live.using() as generation:
            if image is None:
                prepared = await self._preparer.prepare(generation.session, asked)
            else:
                prepared = await self._preparer.prepare_image(generation.session, image)
            ranked = await rank_queries(generation.batcher, [prepared], terms)
        answer = answer_facts(ranked.answer, asked.k)
        answer["ties"] = ties_json(ranked.hits[0], asked.ties, answer["degraded"])
        answer["query_code"] = prepared.code_hex
        answer["hits"] = hits_json(ranked.hits[0], asked.with_payload)
        seconds = {**prepared.seconds, **ranked.answer.timings_seconds, "total": time.perf_counter() - started}
        answer["timing_ms"] = milliseconds(seconds)
        return answer

    async def query_batch(self, name: str, asked: BatchRequest) -> JsonObject:
        """Hits of each query, or what is wrong with it. Raises `UsageError` when all are wrong."""
        started = time.perf_counter()
        terms = self._terms(asked, len(asked.queries))
        async with self.served(name).live.using() as generation:
            prepared = await self._preparer.prepare_all(generation.session, asked.queries)
            good = [each for each in prepared if isinstance(each, PreparedQuery)]
            if not good:
                raise UsageError(f"none of the {len(prepared)} queries can be asked; the first: {prepared[0]}")
            ranked = await rank_queries(generation.batcher, good, terms)
        answer = answer_facts(ranked.answer, asked.k)
        hits = iter(ranked.hits)
        results: list[JsonObject] = []
        for each in prepared:
            if isinstance(each, PipelineError):
                results.append({"error": _error_json(each)})
                continue
            found = next(hits)
            ties = ties_json(found, asked.ties, answer["degraded"])
            results.append({"query_code": each.code_hex, "ties": ties, "hits": hits_json(found, asked.with_payload)})
        answer["results"] = results
        answer["timing_ms"] = milliseconds({**ranked.answer.timings_seconds, "total": time.perf_counter() - started})
        return answer

    async def encode(self, asked: EncodeRequest) -> JsonObject:
        """The code of each picture, or what is wrong with it."""
        check_limit("images_b64", len(asked.images_b64), self.limits.max_batch)
        async with self.served(asked.index).live.using() as generation:
            manifest = generation.session.manifest
            if manifest.code_kind != "binary":
                raise UsageError(
                    f"codes of index {asked.index} are quantized; its pictures are searched without a code"
                )
            encoded = await self._preparer.encode_all(generation.session, asked.images_b64)
        codes = [
            code_json(BinaryCodes.from_hex(str(each.code_hex), manifest.num_bits))
            if isinstance(each, PreparedQuery)
            else {"error": str(each)}
            for each in encoded
        ]
        return {"index": asked.index, "model_id": manifest.model_id, "num_bits": manifest.num_bits, "codes": codes}

    async def compare(self, asked: CompareRequest) -> JsonObject:
        """How two codes differ. Bit 0 is the most significant bit of the first byte."""
        async with self.served(asked.index).live.using() as generation:
            session = generation.session
            a = await self._preparer.prepare(session, asked.a)
            b = await self._preparer.prepare(session, asked.b)
        if a.code_hex is None or b.code_hex is None:
            raise UsageError(f"codes of index {asked.index} are quantized; compare items or codes, not pictures")
        bits = session.manifest.num_bits
        left, right = BinaryCodes.from_hex(a.code_hex, bits), BinaryCodes.from_hex(b.code_hex, bits)
        differing = np.flatnonzero(left.to_bits()[0] != right.to_bits()[0]).tolist()
        return {
            "index": asked.index,
            "generation": session.manifest.generation,
            "num_bits": bits,
            "a": {"code": a.code_hex},
            "b": {"code": b.code_hex},
            "distance": len(differing),
            "differing_bits": differing,
        }

    async def index_facts(self, name: str) -> JsonObject:
        """The state of an index, its columns, and the generations and aliases of its catalog."""
        served = self.served(name)
        async with served.live.using() as generation:
            columns = await self._preparer.look_up(_columns, generation.session)
        generations = await self._preparer.look_up(served.catalog.generations, name)
        aliases = await self._preparer.look_up(served.catalog.aliases, name)
        return {
            **served.status().to_json(),
            "columns": columns,
            "generations": list(generations),
            "aliases": {alias: record.generation for alias, record in aliases.items()},
        }

    async def item(self, name: str, item_id: int) -> JsonObject:
        """One indexed item. Raises `UnknownItem`."""
        async with self.served(name).live.using() as generation:
            return await self._preparer.look_up(_item, generation.session, item_id)

    def _terms(self, asked: SearchTerms, num_queries: int = 1) -> RankingTerms:
        """Checked before any picture is decoded for them."""
        limits = self.limits
        check_limit("k", asked.k, limits.max_k)
        check_limit("queries", num_queries, limits.max_batch)
        check_limit("k x queries", asked.k * num_queries, limits.max_answer_hits)
        max_hits = min(limits.max_k, limits.max_answer_hits // num_queries)
        return RankingTerms(asked=asked, query_terms=query_terms(asked), max_hits=max_hits)

    async def refresh(self) -> None:
        """Follow every alias. An index that cannot be refreshed says so in its status."""
        await asyncio.gather(*(served.refresh() for served in self.indexes.values()))

    async def close(self) -> None:
        """Answer what is asked already, then close every index."""
        await asyncio.gather(*(served.close() for served in self.indexes.values()))
        self._preparer.close()


def _columns(session: SearchSession) -> dict[str, str]:
    """Column -> type, of those that hits carry as payload and conditions can name."""
    num_bits = session.manifest.num_bits
    any_code = BinaryCodes(np.zeros((1, num_code_bytes(num_bits)), np.uint8), num_bits)
    # Some item that is not deleted, of a shard that answers.
    _, ids = session.router.rank(session.queries_of(any_code), k=1, allow_partial=True).ranked.row(0)
    if not len(ids):
        return {}
    table = session.router.payload_of(ids)
    return {column.name: str(column.type) for column in table.schema if column.name not in ("key", "uri")}


def _item(session: SearchSession, item_id: int) -> JsonObject:
    code = session.router.code_of(item_id)
    (columns,) = session.router.payload_of(np.array([item_id], np.int64)).to_pylist()
    return item_json(session.manifest, item_id, code, columns)


def _error_json(error: PipelineError) -> JsonObject:
    problem = problem_of(error)
    return {"status": int(problem.status), "detail": problem.detail}
