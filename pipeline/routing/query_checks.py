"""What a caller may ask for, with errors that name the value and the limit."""

from __future__ import annotations

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from pipeline.errors import UsageError
from pipeline.shard_index.index_manifest import IndexManifest

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


def check_codes(codes: BinaryCodes, manifest: IndexManifest) -> BinaryCodes:
    """The codes themselves. Raises `UsageError` when they are not as wide as those of the index."""
    if codes.num_bits != manifest.num_bits:
        raise UsageError(
            f"query codes have {codes.num_bits} bits, codes of index {manifest.index} {manifest.num_bits} bits"
        )
    return codes


def parse_hex_code(text: str, manifest: IndexManifest) -> BinaryCodes:
    """One code from hexadecimal digits. Raises `UsageError` naming both widths, or what is no digit."""
    try:
        return BinaryCodes.from_hex(text, manifest.num_bits)
    except ShapeMismatch as error:
        raise UsageError(f"query code for index {manifest.index}: {error}") from None
