import inspect

from operators.metrics import average_precision
from pipeline.evaluation.metric_catalog import histogram_metrics, metric_meanings, rank_metrics


def test_every_metric_has_a_name_of_its_own_and_a_meaning() -> None:
    names = [metric.name for metric in rank_metrics((10, 100))]
    names += [metric.name for metric in histogram_metrics((10, 100), bit_distances=True)]
    assert len(set(names)) == len(names)
    assert list(metric_meanings((10, 100))) == names
    assert all(metric_meanings((10, 100)).values())


def test_every_average_precision_is_in_the_catalog() -> None:
    used = {getattr(metric.measure, "func", metric.measure) for metric in rank_metrics((10,))}
    functions = [
        value
        for name, value in vars(average_precision).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]
    assert len(functions) == 6
    assert set(functions) <= used


def test_lookup_within_a_radius_needs_distances_in_bits() -> None:
    assert {m.name for m in histogram_metrics((10,), bit_distances=True)} - {
        m.name for m in histogram_metrics((10,), bit_distances=False)
    } == {"precision_radius_2", "recall_radius_2"}
