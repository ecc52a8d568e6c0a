"""`ScanOptions`: how a scan runs and which codes may answer; none of it changes an answer but `allowed`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from operators.errors import InvalidSetting, SearchCancelled, ShapeMismatch
from operators.search.allowed_rows import AllowedRows

MAX_THREADS = 1024


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """`num_threads` share the codes. `allowed`: rows that may answer, None for all. `cancelled` is asked between blocks
    (tens of milliseconds) and ends the scan with `SearchCancelled`. Raises `InvalidSetting`."""

    num_threads: int = 1
    allowed: AllowedRows | None = None
    cancelled: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        number = self.num_threads
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_THREADS:
            raise InvalidSetting("num_threads", repr(number), f"a whole number from 1 to {MAX_THREADS}")

    def check_rows(self, num_codes: int) -> None:
        """Raises `ShapeMismatch` where `allowed` is about another number of codes."""
        if self.allowed is not None and len(self.allowed) != num_codes:
            raise ShapeMismatch("allowed rows", f"of {len(self.allowed)} rows", f"of {num_codes} codes")

    def check_cancelled(self) -> None:
        """Raises `SearchCancelled`."""
        if self.cancelled is not None and self.cancelled():
            raise SearchCancelled()


ONE_THREAD = ScanOptions()
