"""A caller's terms as the search takes them."""

from __future__ import annotations

import base64
import binascii

import numpy as np

from operators.binary_codes import BinaryCodes, num_code_bytes
from operators.errors import ShapeMismatch
from pipeline.errors import UsageError
from pipeline.routing.query_batcher import QueryTerms
from pipeline.search_api.query_request import QueryBy, SearchTerms
from pipeline.search_api.strict_json import shown
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.search_scope import EVERYTHING, ColumnCondition, SearchScope

_FIELDS = ("image_b64", "code", "id", "key")


def query_terms(asked: SearchTerms) -> QueryTerms:
    """Raises `UsageError` for a condition that is none."""
    scope = EVERYTHING
    if asked.radius is not None or asked.where:
        where = tuple(sorted(set(map(ColumnCondition.parse, asked.where)), key=str))
        scope = SearchScope(radius=asked.radius, where=where)
    return QueryTerms(scope=scope, allow_partial=asked.allow_partial, with_payload=asked.with_payload)


def given_field(asked: QueryBy) -> str:
    """Which of its fields is given. Raises `UsageError` unless it is exactly one."""
    given = [name for name in _FIELDS if getattr(asked, name) is not None]
    if len(given) != 1:
        raise UsageError(f"expected exactly one of {', '.join(_FIELDS)}, got {' and '.join(given) or 'none'}")
    return given[0]


def check_limit(name: str, value: int, limit: int) -> int:
    """The value itself. Raises `UsageError` above the limit."""
    if value > limit:
        raise UsageError(f"{name} = {value}: expected at most {limit:,}")
    return value


def parse_code(text: str, manifest: IndexManifest) -> BinaryCodes:
    """One code from hex digits or padded base64. Raises `UsageError` naming both widths."""
    num_bytes = num_code_bytes(manifest.num_bits)
    try:
        # No code has the same length in both forms, but for base64 that ends in "=", which is no digit.
        if len(text) == 2 * num_bytes and "=" not in text:
            raw = bytes.fromhex(text)
        else:
            raw = base64.b64decode(text, validate=True)
        if len(raw) != num_bytes:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"code = {shown(text)}: expected {manifest.num_bits} bits as {2 * num_bytes} hexadecimal digits or as "
            f"base64 of {num_bytes} bytes"
        ) from None
    try:
        return BinaryCodes(np.frombuffer(raw, np.uint8).reshape(1, -1), manifest.num_bits)
    except ShapeMismatch as error:
        raise UsageError(f"code = {shown(text)}: {error}") from None


def decode_base64(text: str, name: str) -> bytes:
    """The bytes of a field. Raises `UsageError`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} = {shown(text)}: expected base64 (RFC 4648, with padding)") from None
