"""One self-contained HTML page for the reports of one or several runs: opens from a mail, a phone or an archive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan

from markupsafe import Markup

from pipeline.errors import UsageError
from pipeline.evaluation.metric_catalog import metric_meanings
from pipeline.evaluation.page_environment import figure_text, page_environment
from pipeline.evaluation.report_plots import line_look, precision_at_k_plot, precision_recall_plot
from pipeline.evaluation.retrieval_report import RetrievalReport

_SUMMARY_METRICS = (
    ("map_at_10", "mAP@10"),
    ("map_at_10_tie_expected", "mAP@10, ties averaged"),
    ("ap_all", "AP_all"),
    ("precision_at_100", "P@100"),
    ("precision_radius_2", "precision, radius 2"),
    ("recall_radius_2", "recall, radius 2"),
)
_SWATCH_DASHES = {"-": "none", "--": "8 4", ":": "2 3", "-.": "8 3 2 3"}


@dataclass(frozen=True, kw_only=True)
class _Cell:
    text: str
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One line of a table: what it is about, its cells, and a longer explanation."""

    name: str
    cells: list[_Cell]
    note: str = ""


_HEALTH_NAMES = {
    "num_items": "items",
    "num_bits": "bits per code",
    "min_share_of_ones": "least balanced bit towards 0: share of ones",
    "max_share_of_ones": "least balanced bit towards 1: share of ones",
    "mean_bit_entropy": "mean entropy of a bit (1 is best)",
    "mean_abs_correlation": "mean absolute correlation of two bits (0 is best)",
    "num_constant_bits": "bits that never change",
    "num_distinct_codes": "distinct codes",
    "largest_share": "share of items with the most frequent code",
}


def render_report_page(reports: Sequence[RetrievalReport], *, title: str = "Retrieval quality") -> str:
    """HTML of all `reports`: metrics, curves, code health, pictures. Raises `UsageError` when there is none."""
    if not reports:
        raise UsageError("a report page needs at least one report")
    return (
        page_environment()
        .get_template("report_page.html.j2")
        .render(
            title=title,
            reports=reports,
            protocols=sorted({(report.run.protocol, report.run.protocol_summary) for report in reports}),
            swatches=[swatch(position) for position in range(len(reports))],
            summary_names=[label for _, label in _SUMMARY_METRICS],
            summary=_summary_lines(reports),
            metrics=_metric_lines(reports),
            health=_health_lines(reports),
            plots=[Markup(plot(reports)) for plot in (precision_recall_plot, precision_at_k_plot)],
        )
    )


def _summary_lines(reports: Sequence[RetrievalReport]) -> list[_Line]:
    columns = [_cells([report.metrics.get(name) for report in reports]) for name, _ in _SUMMARY_METRICS]
    return [_Line(name=report.title, cells=[column[row] for column in columns]) for row, report in enumerate(reports)]


def _metric_lines(reports: Sequence[RetrievalReport]) -> list[_Line]:
    names = dict.fromkeys(name for report in reports for name in report.metrics)
    cutoffs = tuple(sorted({int(cutoff) for name in names for cutoff in re.findall(r"_at_(\d+)", name)}))
    meanings = metric_meanings(cutoffs)
    return [
        _Line(name=name, cells=_cells([report.metrics.get(name) for report in reports]), note=meanings[name])
        for name in sorted(names, key=list(meanings).index)
    ]


def _health_lines(reports: Sequence[RetrievalReport]) -> list[_Line]:
    figures = [asdict(report.code_health) for report in reports]
    lines = [
        _Line(name=_HEALTH_NAMES[name], cells=[_Cell(text=figure_text(health[name])) for health in figures])
        for name in figures[0]
    ]
    fractions = [report.measurement.candidate_fraction for report in reports]
    if any(fraction is not None for fraction in fractions):
        lines.append(
            _Line(name="share of the database that collides", cells=[_Cell(text=figure_text(f)) for f in fractions])
        )
    return lines


def _cells(values: Sequence[float | None]) -> list[_Cell]:
    """Values of one metric over the runs, the best one marked when there is something to compare."""
    known = [value for value in values if value is not None and not isnan(value)]
    best = max(known) if len(known) > 1 else None
    return [_Cell(text=figure_text(value), best=value is not None and value == best) for value in values]


def swatch(position: int) -> dict[str, str]:
    """Colour and dashes of the line at `position`, for legends."""
    colour, style = line_look(position)
    return {"colour": colour, "dashes": _SWATCH_DASHES[style]}
