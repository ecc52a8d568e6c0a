import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.metrics.relevance import same_label
from pipeline.errors import UsageError
from pipeline.evaluation import retrieval_measurement
from pipeline.evaluation.code_distances import CodeDistances, code_distances
from pipeline.evaluation.retrieval_measurement import MeasurementSettings, RetrievalMeasurement, measure_retrieval
from tests import metric_definitions as slow


def _random_case(seed: int, num_items: int = 25) -> tuple[BinaryCodes, BinaryCodes, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    queries = BinaryCodes.from_bits(generator.random((5, 6)) < 0.5)
    database = BinaryCodes.from_bits(generator.random((num_items, 6)) < 0.5)
    return queries, database, generator.integers(0, 3, 5), generator.integers(0, 3, num_items)


def _measure(case: tuple[BinaryCodes, BinaryCodes, np.ndarray, np.ndarray], seed: int = 0) -> RetrievalMeasurement:
    queries, database, query_labels, labels = case
    distances = code_distances(queries, database, "hamming", 1)
    return measure_retrieval(distances, same_label(query_labels, labels), MeasurementSettings(cutoffs=(4,), seed=seed))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_means_equal_the_definitions_in_loops(seed: int) -> None:
    queries, database, query_labels, labels = case = _random_case(seed)
    place = {int(item): position for position, item in enumerate(np.random.default_rng(3).permutation(len(labels)))}
    rows = []
    for query, wanted in zip(queries.to_bits(), query_labels, strict=True):
        away = (database.to_bits() != query).sum(axis=1)
        order = sorted(range(len(labels)), key=lambda item: (away[item], place[item]))
        rows.append([bool(labels[item] == wanted) for item in order])
    metrics = _measure(case, seed=3).metrics
    expected = {
        "ap_all": [slow.ap_all(row) for row in rows],
        "ap_trapezoid": [slow.ap_trapezoid(row) for row in rows],
        "map_at_4": [slow.ap_over_hits(row, 4) for row in rows],
        "ap_at_4_over_min": [slow.ap_over_min(row, 4) for row in rows],
        "ap_at_4_over_k": [slow.ap_over_cutoff(row, 4) for row in rows],
        "precision_at_4": [slow.precision(row, 4) for row in rows],
        "recall_at_4": [slow.recall(row, 4) for row in rows],
    }
    for name, values in expected.items():
        assert metrics[name] == pytest.approx(np.mean(values), abs=1e-12), name
    with_hit = [slow.ap_over_hits(row, 4) for row in rows if any(row[:4])]
    assert metrics["map_at_4_hitless_dropped"] == pytest.approx(np.mean(with_hit), nan_ok=True)


def test_tie_expected_value_is_the_mean_over_seeds() -> None:
    case = _random_case(1)
    seeded = [_measure(case, seed).metrics["ap_all"] for seed in range(300)]
    assert np.std(seeded) > 0
    assert _measure(case).metrics["ap_all_tie_expected"] == pytest.approx(np.mean(seeded), abs=0.01)


def test_the_size_of_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _measure(_random_case(2))
    monkeypatch.setattr(retrieval_measurement, "_BLOCK_PAIRS", 1)
    assert _measure(_random_case(2)) == whole


def test_a_query_never_finds_itself() -> None:
    _, database, _, labels = _random_case(3)
    rows = np.array([0, 4, 9])
    settings_ = MeasurementSettings(cutoffs=(4,))
    with_self = code_distances(database[rows], database, "hamming", 1)
    relevant = same_label(labels[rows], labels)
    measured = measure_retrieval(with_self, relevant, settings_, self_columns=rows)
    values = []
    for row in rows:
        others = np.flatnonzero(np.arange(len(labels)) != row)
        alone = code_distances(database[np.array([row])], database[others], "hamming", 1)
        part = measure_retrieval(alone, same_label(labels[[row]], labels[others]), settings_)
        values.append(part.metrics["ap_all_tie_expected"])
    assert measured.metrics["ap_all_tie_expected"] == pytest.approx(np.mean(values), abs=1e-12)


def test_collisions_report_candidates_and_no_hamming_ball() -> None:
    queries, database, query_labels, labels = _random_case(4)
    measured = measure_retrieval(
        code_distances(queries, database, "collisions", 2), same_label(query_labels, labels), MeasurementSettings()
    )
    bits = [codes.to_bits().reshape(-1, 2, 3) for codes in (queries, database)]
    collides = (bits[0][:, None] == bits[1][None, :]).all(axis=3).any(axis=2)
    assert measured.candidate_fraction == pytest.approx(collides.mean())
    assert not [name for name in measured.metrics if "radius" in name]


def test_queries_with_nothing_relevant_are_counted() -> None:
    queries, database, query_labels, labels = _random_case(5)
    query_labels[0] = 99
    assert _measure((queries, database, query_labels, labels)).num_without_relevant == 1


def test_cutoffs_beyond_the_database_are_left_out() -> None:
    assert MeasurementSettings().cutoffs_within(150) == (10, 100)
    assert MeasurementSettings().cutoffs_within(3) == (10,)


@pytest.mark.parametrize("cutoffs", [(), (0, 10)])
def test_bad_cutoffs_are_refused(cutoffs: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="cutoffs"):
        MeasurementSettings(cutoffs=cutoffs)


def test_nothing_to_rank_is_refused() -> None:
    queries, database, query_labels, labels = _random_case(6)
    with pytest.raises(UsageError, match="0 queries and 25 items"):
        _measure((queries[:0], database, query_labels[:0], labels))


def test_headline_metrics_are_those_of_the_whole_report() -> None:
    queries, database, query_labels, labels = _random_case(7)
    relevant = same_label(query_labels, labels)
    distances = code_distances(queries, database, "hamming", 1)
    whole = measure_retrieval(distances, relevant, MeasurementSettings(cutoffs=(4,)))
    short = measure_retrieval(distances, relevant, MeasurementSettings(cutoffs=(4,), headline=True))
    assert short.metrics == {name: whole.metrics[name] for name in ("ap_all", "map_at_4", "precision_at_4")}
    assert short.precision_at_k == whole.precision_at_k
    assert short.precision_recall == whole.precision_recall


def test_real_distances_rank_as_sorting_does() -> None:
    values = np.random.default_rng(0).standard_normal((5, 25)).astype(np.float32)
    _, _, query_labels, labels = _random_case(8)
    distances = CodeDistances(
        rows=lambda block: values[block], num_queries=5, num_database=25, num_distances=None, nothing_shared=None
    )
    measured = measure_retrieval(distances, same_label(query_labels, labels), MeasurementSettings(cutoffs=(4,)))
    hits = [
        [bool(labels[item] == wanted) for item in np.argsort(row)]
        for row, wanted in zip(values, query_labels, strict=True)
    ]
    assert measured.metrics["map_at_4"] == pytest.approx(np.mean([slow.ap_over_hits(row, 4) for row in hits]))
    assert measured.metrics["ap_all"] == pytest.approx(np.mean([slow.ap_all(row) for row in hits]))
    assert not any("tie_expected" in name or "radius" in name for name in measured.metrics)
