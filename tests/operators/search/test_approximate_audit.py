"""The audit of searches whose faults are known."""

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.ranked_neighbors import RankedNeighbors
from operators.search.approximate_audit import ApproximateAudit, AuditSettings, Search, audit_search
from operators.search.hamming_flat import search_flat

_CODES = BinaryCodes.from_bits(np.random.default_rng(0).random((300, 16)) < 0.5)


def _audit(search: Search, **settings: int) -> ApproximateAudit:
    return audit_search(_CODES, search, duplicate_share=0.25, settings=AuditSettings(**settings))


def _of_part(num_codes: int) -> Search:
    """Looks at the first codes only."""
    return lambda queries, k: search_flat(_CODES[slice(0, num_codes)], np.arange(num_codes), queries, k=k)


def test_the_exact_scan_finds_all() -> None:
    audit = _audit(_of_part(300), num_queries=50, k=7)
    assert (audit.recall, audit.self_recall, audit.num_queries, audit.k) == (1, 1, 50, 7)
    assert (audit.num_items, audit.duplicate_share) == (300, 0.25)


def test_other_items_at_the_same_distance_are_as_good() -> None:
    def from_the_end(queries: BinaryCodes, k: int) -> RankedNeighbors:
        reverse = search_flat(_CODES[np.arange(299, -1, -1)], np.arange(300), queries, k=k)
        return RankedNeighbors(reverse.distances, reverse.ids, reverse.counts)

    assert _audit(from_the_end).recall == 1


def test_half_of_the_codes_give_less() -> None:
    audit = _audit(_of_part(150), num_queries=300, k=1)
    every = search_flat(_CODES, np.arange(300), _CODES, k=1).distances[:, 0]
    half = search_flat(_CODES[slice(0, 150)], np.arange(150), _CODES, k=1).distances[:, 0]
    assert audit.recall == (half == every).mean()
    assert audit.self_recall == (half == 0).mean() < 0.7
    assert "own code found: 5" in str(audit)


def test_short_answers_count_as_misses() -> None:
    audit = _audit(lambda queries, k: RankedNeighbors.empty(len(queries), k))
    assert (audit.recall, audit.self_recall) == (0, 0)


def test_the_seed_draws_the_sample() -> None:
    assert _audit(_of_part(100), num_queries=20) == _audit(_of_part(100), num_queries=20)
    recalls = {_audit(_of_part(100), num_queries=20, seed=seed).recall for seed in range(5)}
    assert len(recalls) > 1


@pytest.mark.parametrize("settings", [{"k": 0}, {"num_queries": 0}])
def test_bad_settings_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(InvalidSetting, match="at least 1"):
        AuditSettings(**settings)
