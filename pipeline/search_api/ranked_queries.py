"""`rank_queries`: hits of prepared queries from one generation, with their ties looked after."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.routing.query_batcher import QueryBatcher, QueryTerms, join_queries
from pipeline.routing.search_answer import SearchAnswer
from pipeline.search_api.prepared_query import PreparedQuery
from pipeline.search_api.query_request import SearchTerms
from pipeline.search_api.tied_hits import TiedHits, cut_hits, cut_tied


@dataclass(frozen=True, kw_only=True)
class RankingTerms:
    """What the caller asked, the same as the batcher takes it, and the hits that one query may have."""

    asked: SearchTerms
    query_terms: QueryTerms
    max_hits: int


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedQueries:
    """`hits[i]` belongs to query i. `answer` says what all of them rest on."""

    answer: SearchAnswer
    hits: list[TiedHits]


async def rank_queries(
    batcher: QueryBatcher[SearchAnswer], queries: Sequence[PreparedQuery], ranking: RankingTerms
) -> RankedQueries:
    """One pass for all queries, and with ties "all" a second one for those that end among ties. Raises `UsageError`,
    `SearchError`, `ServiceOverloaded`."""
    asked, terms, max_hits = ranking.asked, ranking.query_terms, ranking.max_hits
    excluded = [query.item_id if asked.exclude_self else None for query in queries]
    # One more than asked shows whether the last has ties; another one stands in for the excluded item.
    extra = 1 if all(item is None for item in excluded) else 2
    joined = join_queries([query.queries for query in queries])
    answer = await batcher.ask(joined, k=asked.k + extra, terms=terms)
    pairs = zip(answer.neighbors, excluded, strict=True)
    hits = [cut_hits(neighbors, asked.k, item) for neighbors, item in pairs]
    if asked.ties == "all":
        tied = [row for row, each in enumerate(hits) if not each.complete]
        seconds = await asyncio.gather(
            *(batcher.ask(queries[row].queries, k=max_hits + extra, terms=_up_to(terms, hits[row])) for row in tied)
        )
        for row, second in zip(tied, seconds, strict=True):
            hits[row] = cut_tied(second.neighbors[0], hits[row], max_hits, excluded[row])
        answer = _joined([answer, *seconds])
    return RankedQueries(answer=answer, hits=hits)


def _up_to(terms: QueryTerms, hits: TiedHits) -> QueryTerms:
    """As far as hit k. Distances that do not count bits cannot bound a search; the cut afterwards suffices."""
    if not isinstance(hits.kth_distance, int):
        return terms
    return replace(terms, scope=replace(terms.scope, radius=hits.kth_distance))


def _joined(answers: Sequence[SearchAnswer]) -> SearchAnswer:
    """The least coverage of them, every failure, and the time of all."""
    worst = min(answers, key=lambda answer: answer.coverage.rows_searched)
    failed = sorted({name for answer in answers for name in answer.coverage.failed_shards})
    stages = answers[0].timings_seconds
    last = answers[1:]
    return replace(
        worst,
        coverage=replace(worst.coverage, failed_shards=tuple(failed)),
        timings_seconds={
            stage: seconds + max((each.timings_seconds.get(stage, 0.0) for each in last), default=0.0)
            for stage, seconds in stages.items()
        },
    )
