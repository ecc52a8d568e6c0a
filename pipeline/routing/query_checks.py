"""What a caller may ask for, with errors that name the value and the limit."""

from __future__ import annotations

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.hashers.hasher import CodeKind
from operators.quantization.lookup_tables import LookupTables
from operators.search.search_queries import SearchQueries
from pipeline.errors import UsageError
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.search_scope import SearchScope

MAX_K = 16_384


def check_k(k: int) -> int:
    """The value itself. Raises `UsageError` unless it is an int (a bool is none) from 1 to `MAX_K`."""
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MAX_K:
        raise UsageError(f"k = {k!r}: expected a whole number from 1 to {MAX_K:,}")
    return k


def check_item_id(item_id: int) -> int:
    """The value itself. Raises `UsageError` unless it is an int from 0 to 2**63 - 1."""
    if isinstance(item_id, bool) or not isinstance(item_id, int) or not 0 <= item_id < 2**63:
        raise UsageError(f"id = {item_id!r}: expected a whole number from 0 to 2**63 - 1")
    return item_id


def check_queries(queries: SearchQueries, manifest: IndexManifest) -> SearchQueries:
    """The queries themselves. Raises `UsageError` when they are for codes of another width or kind than the index's."""
    kind: CodeKind = "quantized" if isinstance(queries, LookupTables) else "binary"
    if kind != manifest.code_kind:
        raise UsageError(
            f"queries for {kind} codes, but codes of index {manifest.index} are {manifest.code_kind}; "
            "ask with a picture, an item, or a code in hex"
        )
    if queries.num_bits != manifest.num_bits:
        raise UsageError(
            f"query codes have {queries.num_bits} bits, codes of index {manifest.index} {manifest.num_bits} bits"
        )
    return queries


def check_scope(scope: SearchScope, manifest: IndexManifest) -> SearchScope:
    """The scope itself. Raises `UsageError` for a radius in an index whose distances do not count bits."""
    if scope.radius is not None and manifest.code_kind != "binary":
        raise UsageError(
            f"radius = {scope.radius}: codes of index {manifest.index} are {manifest.code_kind}, their distances do "
            "not count bits; leave the radius out"
        )
    return scope


def parse_hex_code(text: str, manifest: IndexManifest) -> BinaryCodes:
    """One code from hexadecimal digits. Raises `UsageError` naming both widths, or what is no digit."""
    try:
        return BinaryCodes.from_hex(text, manifest.num_bits)
    except ShapeMismatch as error:
        raise UsageError(f"query code for index {manifest.index}: {error}") from None
