"""`bitquarry query` and `bitquarry search-batch`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operators.errors import MediaTooLarge, UndecodableMedia
from pipeline.cli import options
from pipeline.cli.failures import EXIT_DONE_WITH_REJECTS, EXIT_OK
from pipeline.cli.output import say, table
from pipeline.cli.remote_query import query_service
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.routing.search_answer import SearchAnswer
    from pipeline.routing.search_session import SearchSession
    from pipeline.search_client.search_client import QueryBy, SearchTerms
    from pipeline.settings import Settings
    from pipeline.shard_index.search_scope import SearchScope

AliasName = Annotated[str, typer.Option("--alias", "-a", help="Which generation of the index answers.")]
NumNeighbors = Annotated[int, typer.Option("--k", "-k", help="Neighbours per query, 1 to 16,384.")]
Radius = Annotated[int | None, typer.Option("--radius", "-r", help="Only items that differ in at most so many bits.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help="Only items with COLUMN=VALUE (or != < <= > >=). May stand several times: all."),
]


def query(
    index: options.IndexName,
    image: Annotated[str | None, typer.Option("--image", help="Picture file or s3:// URI to search with.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Key of an indexed item to search with.")] = None,
    item_id: Annotated[int | None, typer.Option("--id", help="Id of an indexed item to search with.")] = None,
    code: Annotated[str | None, typer.Option("--code", help="Code to search with, in hexadecimal digits.")] = None,
    k: NumNeighbors = 10,
    radius: Radius = None,
    where: Where = None,
    alias: AliasName = "live",
    allow_partial: Annotated[
        bool,
        typer.Option("--allow-partial", help="Answer even when shards are missing, and say how much was searched."),
    ] = False,
    catalog: options.Catalog = None,
    config: options.Config = None,
    searchers: options.NumSearchers = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Ask the service at this address, not a catalog: http://127.0.0.1:8000")
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", help="File with the service's key; default: BITQUARRY_API_KEY.")
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """Find the nearest items to a picture, to an indexed item, or to a code. Ties: the smaller id first."""
    given = [
        name
        for name, value in (("--image", image), ("--key", key), ("--id", item_id), ("--code", code))
        if value is not None
    ]
    if len(given) != 1:
        raise UsageError(f"expected one of --image, --key, --id or --code, got {' and '.join(given) or 'none'}")
    if url is not None:
        _refuse_local_options(alias, config, searchers)
        by = _query_by(image, key, item_id, code)
        terms = _terms(k, radius, where, allow_partial)
        answer = query_service(url, api_key_file, index, by, terms)
        say(json.dumps(_answer_json(answer)) if as_json else _answer_text(answer))
        return EXIT_OK
    settings = options.settings_from(config, catalog=catalog, search__num_searchers=searchers)
    scope = _scope(radius, where)
    with _search(settings, index, alias) as session:
        if image is not None:
            with _naming(image):
                picture = _picture(image, settings)
                answer = session.query_image(picture, k=k, scope=scope, allow_partial=allow_partial)
        elif key is not None:
            answer = session.query_key(key, k=k, scope=scope, allow_partial=allow_partial)
        elif item_id is not None:
            answer = session.query_id(item_id, k=k, scope=scope, allow_partial=allow_partial)
        else:
            answer = session.query_hex(str(code), k=k, scope=scope, allow_partial=allow_partial)
    say(json.dumps(_answer_json(answer)) if as_json else _answer_text(answer))
    return EXIT_OK


def search_batch(
    index: options.IndexName,
    queries: Annotated[str, typer.Option("--queries", "-q", help="Parquet file with a code or image column.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Parquet file to write: one row per neighbour.")],
    k: NumNeighbors = 10,
    radius: Radius = None,
    where: Where = None,
    alias: AliasName = "live",
    code_column: Annotated[str | None, typer.Option("--code-column", help="Column of codes: binary or hex.")] = None,
    image_column: Annotated[str | None, typer.Option("--image-column", help="Column of pictures' bytes.")] = None,
    id_column: Annotated[str | None, typer.Option("--query-id-column", help="Column that names the queries.")] = None,
    catalog: options.Catalog = None,
    config: options.Config = None,
    searchers: options.NumSearchers = None,
    as_json: options.AsJson = False,
) -> int:
    """Search with every row of a Parquet file; write query_id, rank, id, key, uri and distance to another."""
    from pipeline.jobs.search_batch import SearchBatchSettings
    from pipeline.jobs.search_batch import search_batch as run_search_batch
    from pipeline.routing.query_table import QueryColumns

    settings = options.settings_from(config, catalog=catalog, search__num_searchers=searchers)
    columns = QueryColumns(code=code_column, image=image_column, query_id=id_column)
    asked = SearchBatchSettings(queries=queries, output=output, k=k, scope=_scope(radius, where), columns=columns)
    with _search(settings, index, alias) as session:
        report = run_search_batch(session, asked)
    if as_json:
        say(json.dumps(asdict(report)))
    else:
        say(f"{report.num_queries:,} queries, {report.num_rows:,} neighbours: {output}")
        for query_id, reason in report.rejects:
            say(f"rejected query {query_id}: {reason}")
    return EXIT_DONE_WITH_REJECTS if report.num_rejected else EXIT_OK


def _refuse_local_options(alias: str, config: Path | None, searchers: int | None) -> None:
    given = [
        name
        for name, is_given in (
            ("--alias", alias != "live"),
            ("--config", config is not None),
            ("--searchers", searchers is not None),
        )
        if is_given
    ]
    if given:
        raise UsageError(f"{' and '.join(given)} cannot go with --url: the service decides how it searches")


def _query_by(image: str | None, key: str | None, item_id: int | None, code: str | None) -> QueryBy:
    from pipeline.search_client.search_client import QueryBy

    picture = None if image is None else _picture(image, options.settings_from(None))
    return QueryBy(image=picture, key=key, id=item_id, code=code)


def _terms(k: int, radius: int | None, where: list[str] | None, allow_partial: bool) -> SearchTerms:
    from pipeline.search_client.search_client import SearchTerms

    return SearchTerms(k=k, radius=radius, where=tuple(where or ()), allow_partial=allow_partial)


@contextmanager
def _search(settings: Settings, index: str, alias: str) -> Iterator[SearchSession]:
    from pipeline.jobs.search_index import open_search

    with ExitStack() as stack:
        if settings.search.num_searchers:
            from pipeline.actors.ray_session import ray_session

            stack.enter_context(ray_session(settings.ray))
        yield stack.enter_context(
            open_search(options.catalog_of(settings), index, alias=alias, settings=settings.search)
        )


def _scope(radius: int | None, where: list[str] | None) -> SearchScope:
    from pipeline.shard_index.search_scope import ColumnCondition, SearchScope

    return SearchScope(radius=radius, where=tuple(map(ColumnCondition.parse, where or ())))


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Errors about the picture say which it was."""
    try:
        yield
    except (UndecodableMedia, MediaTooLarge) as error:
        raise UsageError(f"--image {name}: {error}") from None


def _picture(uri: str, settings: Settings) -> bytes:
    if uri == "-":
        return sys.stdin.buffer.read(settings.decode.max_bytes + 1)
    if "://" in uri and not uri.startswith("s3://"):
        raise UsageError(f"--image {uri}: give a file or s3:// URI; download the picture first")
    if "://" in uri:
        from pipeline.object_store.open_store import open_store

        return open_store(uri).read(uri, max_bytes=settings.decode.max_bytes)
    try:
        return Path(uri).read_bytes()
    except OSError as error:
        raise UsageError(f"--image {uri}: {error.strerror}; give a readable picture file") from None


def _answer_json(answer: SearchAnswer) -> dict[str, object]:
    coverage = answer.coverage
    return {
        "index": answer.index,
        "generation": answer.generation,
        "model_id": answer.model_id,
        "num_bits": answer.num_bits,
        "k": answer.k,
        "degraded": coverage.degraded,
        "coverage": coverage.ratio,
        "failed_shards": list(coverage.failed_shards),
        "timing_ms": {stage: 1000 * seconds for stage, seconds in answer.timings_seconds.items()},
        "hits": [
            {"rank": hit.rank, "id": hit.id, "key": hit.key, "distance": hit.distance, "uri": hit.uri, **hit.payload}
            for hit in answer.neighbors[0]
        ],
    }


def _answer_text(answer: SearchAnswer) -> str:
    rows = [(hit.rank, hit.distance, hit.id, hit.payload.get("label") or "", hit.key) for hit in answer.neighbors[0]]
    lines = [table(("rank", "distance", "id", "label", "key"), rows)]
    if answer.coverage.degraded:
        lines.append(
            f"degraded: {answer.coverage.ratio:.1%} of the index was searched; "
            f"without shards {', '.join(answer.coverage.failed_shards)}"
        )
    return "\n".join(lines)
