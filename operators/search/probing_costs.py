"""`ProbingCosts`: what multi-index hashing and the scan take on a machine, to choose the cheaper one."""

from __future__ import annotations

from dataclasses import dataclass

from operators.errors import InvalidSetting

_MANY_QUERIES = 4


@dataclass(frozen=True, kw_only=True)
class ProbingCosts:
    """Seconds of one thread; the defaults are those of an AMD EPYC core (Zen 4): of scanning as in the result file of
    `bench_hamming_scan`, of probing as seen with 2 million codes while other work was under way.

    `probe`: to look into one bucket; `candidate`: to compare one code found there; `scanned_word`: to compare 64 bits
    of a code in a scan for one query; `shared_word`: the same per query of several, which share the reading. Infinite
    `scanned_word` and `shared_word` rule the scan out. Raises `InvalidSetting` for a number that is not positive.
    """

    probe: float = 3e-8
    candidate: float = 2e-8
    scanned_word: float = 2.9e-10
    shared_word: float = 7.5e-11

    def __post_init__(self) -> None:
        for name in ("probe", "candidate", "scanned_word", "shared_word"):
            if not getattr(self, name) > 0:
                raise InvalidSetting(name, repr(getattr(self, name)), "a positive number of seconds")

    def probing_seconds(self, num_probes: float, num_candidates: float) -> float:
        """Predicted time of a query that looks into so many buckets and compares so many codes."""
        return num_probes * self.probe + num_candidates * self.candidate

    def scan_seconds(self, num_codes: int, num_bits: int, num_queries: int) -> float:
        """Predicted time of a scan per query, when `num_queries` are scanned for together."""
        word = self.shared_word if num_queries >= _MANY_QUERIES else self.scanned_word
        return num_codes * -(-num_bits // 64) * word
