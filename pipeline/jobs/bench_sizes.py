"""What the benchmarks on codes in memory can be asked for."""

from __future__ import annotations

from pipeline.errors import UsageError

MAX_BITS = 4096


def check_sizes(num_bits: int, **counts: int) -> None:
    """Raises `UsageError` for a width that is no multiple of 8 up to `MAX_BITS`, and for a count under 1, by name."""
    if num_bits % 8 or not 8 <= num_bits <= MAX_BITS:
        raise UsageError(f"num_bits = {num_bits}: expected a multiple of 8 from 8 to {MAX_BITS}")
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"{name} = {count}: expected at least 1")
