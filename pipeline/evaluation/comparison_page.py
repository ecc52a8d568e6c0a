"""One self-contained HTML page for a comparison of methods: tables, curves, maps of codes, times, pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.errors import UsageError
from pipeline.evaluation.comparison_plan import FEATURE_RULE
from pipeline.evaluation.comparison_plots import curve_plots, map_plot, point_colour, time_plot
from pipeline.evaluation.finished_run import FinishedRun, KeptPicture
from pipeline.evaluation.method_comparison import MethodAtLength, MethodComparison, MethodRow, Spread
from pipeline.evaluation.page_environment import NONE, page_environment, seconds_text, short_number
from pipeline.evaluation.report_page import swatch

_METRIC_NAMES = {"ap_all": "AP_all", "map_at_": "mAP@", "precision_at_": "P@"}


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Rows that may be compared with each other: methods that see labels, or methods that do not."""

    title: str
    name: str
    rows: list[MethodRow]


@dataclass(frozen=True, kw_only=True)
class _Cell:
    text: str
    best: bool = False


def render_comparison_page(comparison: MethodComparison) -> str:
    """Raises `UsageError` when not one method has figures."""
    if not comparison.runs:
        reasons = "; ".join(f"{item.method}: {item.reason}" for item in (*comparison.failed, *comparison.left_out))
        raise UsageError(f"no method could be measured: {reasons}")
    groups = _groups(comparison)
    shown = [(row, row.lengths[max(row.lengths)].first) for group in groups for row in group.rows]
    return (
        page_environment()
        .get_template("comparison_page.html.j2")
        .render(
            title=f"Methods on {comparison.protocol}",
            comparison=comparison,
            feature_rule=FEATURE_RULE,
            first=comparison.runs[0].report,
            groups=groups,
            lengths=comparison.lengths,
            swatches={group.name: [swatch(position) for position in range(len(group.rows))] for group in groups},
            headline=metric_name(comparison.headline_metric),
            tables=[
                (metric_name(metric), _metric_cells(groups, metric, comparison)) for metric in _metrics(comparison)
            ],
            costs=_cost_cells(groups, comparison),
            plots=_plots(groups, comparison),
            times=_times(groups, max(comparison.lengths)),
            maps=_maps(shown),
            map_classes=_map_classes(shown),
            queries=_queries(shown),
        )
    )


def metric_name(metric: str) -> str:
    """`map_at_10` as papers write it: mAP@10."""
    for name, written in _METRIC_NAMES.items():
        if metric.startswith(name):
            return written + metric.removeprefix(name)
    return metric


def _groups(comparison: MethodComparison) -> list[_Group]:
    titles = ((False, "Without labels", "free"), (True, "With labels", "supervised"))
    rows = comparison.rows()
    groups = [
        _Group(title=title, name=name, rows=[row for row in rows if row.supervised == supervised])
        for supervised, title, name in titles
    ]
    return [group for group in groups if group.rows]


def _metrics(comparison: MethodComparison) -> list[str]:
    """The headline metric first."""
    metrics = comparison.runs[0].report["metrics"]
    assert isinstance(metrics, dict)
    return sorted(metrics, key=lambda name: name != comparison.headline_metric)


def _metric_cells(groups: Sequence[_Group], metric: str, comparison: MethodComparison) -> dict[str, list[list[_Cell]]]:
    """Per group, row and code length: mean and spread; the best of its group and length is marked."""
    cells: dict[str, list[list[_Cell]]] = {}
    for group in groups:
        columns = [
            _marked([_at(row, bits, lambda at: at.spread("metrics", metric)) for row in group.rows])
            for bits in comparison.lengths
        ]
        cells[group.name] = [list(row) for row in zip(*columns, strict=True)]
    return cells


def _cost_cells(groups: Sequence[_Group], comparison: MethodComparison) -> dict[str, list[list[str]]]:
    """Per group and row: for each code length training, hashing per picture and distinct codes."""
    cells: dict[str, list[list[str]]] = {}
    for group in groups:
        cells[group.name] = [
            [
                text
                for bits in comparison.lengths
                for text in (
                    seconds_text(_mean(row, bits, "train_seconds")),
                    _microseconds(row, bits),
                    _count(_mean(row, bits, "code_health", "num_distinct_codes")),
                )
            ]
            for row in group.rows
        ]
    return cells


def _plots(
    groups: Sequence[_Group], comparison: MethodComparison
) -> list[tuple[int, list[tuple[_Group, list[Markup]]]]]:
    """Per code length, longest first, and group: the two plots of curves."""
    return [
        (
            bits,
            [
                (group, [Markup(plot) for plot in curve_plots(group.rows, bits, f"{group.name}{bits}")])
                for group in groups
            ],
        )
        for bits in reversed(comparison.lengths)
    ]


def _times(groups: Sequence[_Group], bits: int) -> list[Markup]:
    rows = [row for group in groups for row in group.rows if bits in row.lengths]
    plots = (
        ("training, seconds", "train", "train_seconds"),
        ("hashing all pictures, seconds", "hash", "encode_seconds"),
    )
    return [
        Markup(time_plot([row.name for row in rows], [_mean(row, bits, path) or 0.0 for row in rows], label, name))
        for label, name, path in plots
    ]


def _maps(shown: Sequence[tuple[MethodRow, FinishedRun]]) -> list[tuple[str, Markup]]:
    return [
        (
            f"{row.name}, {run.num_bits} bits",
            Markup(map_plot(run.code_map, f"map of the codes of {row.name}")),
        )
        for row, run in shown
        if run.code_map is not None
    ]


def _map_classes(shown: Sequence[tuple[MethodRow, FinishedRun]]) -> list[tuple[str, str]]:
    classes = next((run.code_map.classes for _, run in shown if run.code_map is not None), [])
    return [(name, point_colour(number)) for number, name in enumerate(classes)]


def _queries(
    shown: Sequence[tuple[MethodRow, FinishedRun]],
) -> list[tuple[KeptPicture, list[tuple[str, list[KeptPicture]]]]]:
    """Per query: the query, and each method with its neighbours. Every method was asked the same queries."""
    with_rows = [(row.name, run.rows) for row, run in shown if run.rows]
    if not with_rows:
        return []
    num_queries = min(len(rows) for _, rows in with_rows)
    return [
        (with_rows[0][1][number].query, [(name, rows[number].neighbours) for name, rows in with_rows])
        for number in range(num_queries)
    ]


def _marked(spreads: Sequence[Spread | None]) -> list[_Cell]:
    means = [spread.mean for spread in spreads if spread is not None]
    best = max(means) if len(means) > 1 else None
    return [_Cell(text=_spread(spread), best=spread is not None and spread.mean == best) for spread in spreads]


def _spread(spread: Spread | None) -> str:
    return NONE if spread is None else str(spread)


def _at(row: MethodRow, bits: int, measure: Callable[[MethodAtLength], Spread | None]) -> Spread | None:
    return measure(row.lengths[bits]) if bits in row.lengths else None


def _mean(row: MethodRow, bits: int, *path: str) -> float | None:
    spread = _at(row, bits, lambda at: at.spread(*path))
    return None if spread is None else spread.mean


def _microseconds(row: MethodRow, bits: int) -> str:
    seconds = _mean(row, bits, "encode_seconds")
    return NONE if seconds is None else f"{short_number(1e6 * seconds / _num_encoded(row, bits))} µs"


def _num_encoded(row: MethodRow, bits: int) -> int:
    """How many pictures the run hashed: learned codes of the database are there already."""
    report = row.lengths[bits].first.report
    sides = ("num_queries",) if report["database"] == "learned" else ("num_queries", "num_database")
    return sum(int(str(report[side])) for side in sides)


def _count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"
