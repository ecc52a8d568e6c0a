"""The job behind `bitquarry search-batch`: queries from Parquet, neighbours to Parquet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from operators.ranked_neighbors import RankedNeighbors
from operators.search.search_queries import SearchQueries
from pipeline.errors import SourceNotFound, StorageError
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import scheme_of
from pipeline.routing.query_checks import check_k
from pipeline.routing.query_table import QueryColumns, QueryTable, parse_codes
from pipeline.routing.search_session import SearchSession
from pipeline.shard_index.search_scope import EVERYTHING, SearchScope

_MAX_BATCH_QUERIES = 4096
_MAX_BATCH_IMAGES = 64
# Answers held at a time; each costs some hundred bytes with its payload.
_MAX_BATCH_ANSWERS = 500_000
_MAX_REJECTS_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class SearchBatchSettings:
    """`queries` and `output` are paths or `s3://` URIs of Parquet files."""

    queries: str
    output: str
    k: int = 10
    scope: SearchScope = EVERYTHING
    columns: QueryColumns = field(default_factory=QueryColumns)


@dataclass(frozen=True, kw_only=True)
class SearchBatchReport:
    """`num_queries` = answered + rejected. `rejects`: (query id, reason) of the first few."""

    index: str
    generation: str
    num_queries: int
    num_rejected: int
    num_rows: int
    rejects: tuple[tuple[str, str], ...]


def search_batch(
    session: SearchSession, settings: SearchBatchSettings, *, on_progress: Callable[[int], None] = lambda _: None
) -> SearchBatchReport:
    """Write `query_id, rank, id, key, uri, distance`, a row per neighbour, ordered by query as given, then rank.
    Distances count bits (int32); those of a quantized index are float32.

    The output appears whole or not at all. A picture that cannot be decoded is counted and left out; a code of another
    width is a `UsageError`. `on_progress` gets the number of queries done since the last call. Memory: one batch.
    """
    check_k(settings.k)
    source = _open_queries(settings.queries)
    table = QueryTable(source, settings.queries, settings.columns)
    num_rows, num_rejected = 0, 0
    rejects: list[tuple[str, str]] = []
    schema = _output_schema(session, settings, table)
    with _whole_output(settings.output) as path, pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for ids, values in table.batches(_batch_rows(settings, table)):
            rows, queries, rejected = _encode(session, table, ids, values)
            rejects += rejected[: _MAX_REJECTS_NAMED - len(rejects)]
            num_rejected += len(rejected)
            if len(queries):
                neighbors = _search(session, settings, ids.take(rows), queries).cast(schema)
                writer.write_table(neighbors)
                num_rows += neighbors.num_rows
            on_progress(len(ids))
    return SearchBatchReport(
        index=session.manifest.index,
        generation=session.manifest.generation,
        num_queries=table.num_queries,
        num_rejected=num_rejected,
        num_rows=num_rows,
        rejects=tuple(rejects),
    )


def _open_queries(uri: str) -> str | pa.Buffer:
    if scheme_of(uri):
        return pa.py_buffer(open_store(uri).read(uri))
    if not Path(uri).is_file():
        raise SourceNotFound(f"{uri}: no such file; give a Parquet file of queries")
    return uri


def _batch_rows(settings: SearchBatchSettings, table: QueryTable) -> int:
    most = _MAX_BATCH_IMAGES if table.holds_images else _MAX_BATCH_QUERIES
    return max(1, min(most, _MAX_BATCH_ANSWERS // settings.k))


def _output_schema(session: SearchSession, settings: SearchBatchSettings, table: QueryTable) -> pa.Schema:
    manifest = session.manifest
    metadata = {
        "index": manifest.index,
        "generation": manifest.generation,
        "model_id": manifest.model_id,
        "k": str(settings.k),
    }
    columns = [("query_id", table.id_type), ("rank", pa.int32()), ("id", pa.int64())]
    distance = pa.float32() if manifest.code_kind == "quantized" else pa.int32()
    columns += [("key", pa.string()), ("uri", pa.string()), ("distance", distance)]
    return pa.schema(columns, metadata=metadata)


def _encode(
    session: SearchSession, table: QueryTable, ids: pa.Array, values: pa.Array
) -> tuple[pa.Array, SearchQueries, list[tuple[str, str]]]:
    """Rows of the batch that can be searched with, their queries, and (query id, reason) of the others."""
    if not table.holds_images:
        codes = parse_codes(values, ids, session.manifest.num_bits)
        return pa.array(np.arange(len(ids))), session.queries_of(codes), []
    encoded = session.encoder.encode_images(values.to_pylist())
    rejects = [(str(ids[row].as_py()), reason) for row, reason in sorted(encoded.rejects.items())]
    return pa.array(encoded.rows), encoded.queries, rejects


def _search(session: SearchSession, settings: SearchBatchSettings, ids: pa.Array, queries: SearchQueries) -> pa.Table:
    ranked = session.router.rank(queries, k=settings.k, scope=settings.scope).ranked
    rows, places = _answered(ranked)
    found = ranked.ids[rows, places]
    payload = session.router.payload_of(found)
    return pa.table(
        {
            "query_id": ids.take(pa.array(rows)),
            "rank": places + 1,
            "id": found,
            "key": payload.column("key"),
            "uri": payload.column("uri"),
            "distance": ranked.distances[rows, places],
        }
    )


def _answered(ranked: RankedNeighbors) -> tuple[np.ndarray, np.ndarray]:
    """(query, place) of every answer, without padding."""
    queries, places = np.nonzero(np.arange(ranked.k)[None, :] < ranked.counts[:, None])
    return queries, places


@contextmanager
def _whole_output(uri: str) -> Iterator[Path]:
    """A temporary file that becomes the object at `uri` when the block ends well."""
    folder = None if scheme_of(uri) else Path(uri).parent
    if folder is not None and not folder.is_dir():
        raise StorageError(f"{uri}: the folder {folder} does not exist")
    with tempfile.TemporaryDirectory(prefix=".bitquarry-partial-", dir=folder) as temporary:
        path = Path(temporary) / "answers.parquet"
        yield path
        if scheme_of(uri):
            open_store(uri).write(uri, path.read_bytes())
        else:
            path.replace(uri)
