"""Curves of several runs as inline SVG that takes its ink from the page, light or dark, and needs no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from pipeline.evaluation.retrieval_measurement import Curve
from pipeline.evaluation.retrieval_report import RetrievalReport

# Mid-tone colours (Paul Tol's, darkened or lightened) that stand out on white and on near-black.
LINE_COLOURS = ("#3b82d6", "#e0653a", "#2fa866", "#b05cc6", "#c79a1e", "#1fa3b5", "#e0558b", "#8a8f3c")
_LINE_STYLES = ("-", "--", ":", "-.")
# Ink is drawn in a colour that nothing else has, then replaced by the text colour of the page.
INK = "#010203"
PLOT_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif", "font.size": 11}


@dataclass(frozen=True, kw_only=True)
class PlotFrame:
    """`name` prefixes the ids of the SVG, so that two plots share a page; `log_x` for cut-offs."""

    name: str
    x_label: str
    y_label: str
    log_x: bool = False


def precision_recall_plot(reports: Sequence[RetrievalReport]) -> str:
    """One SVG element: precision over recall, a line per report."""
    frame = PlotFrame(name="pr", x_label="recall", y_label="precision")
    return curve_plot([report.measurement.precision_recall for report in reports], frame)


def precision_at_k_plot(reports: Sequence[RetrievalReport]) -> str:
    """One SVG element: precision of the first k over k, a line per report."""
    frame = PlotFrame(name="pk", x_label="k nearest neighbours", y_label="precision@k", log_x=True)
    return curve_plot([report.measurement.precision_at_k for report in reports], frame)


def line_look(position: int) -> tuple[str, str]:
    """Colour and line style of the report at `position`, alike in every plot and in the legend of the page."""
    num_colours = len(LINE_COLOURS)
    return LINE_COLOURS[position % num_colours], _LINE_STYLES[position // num_colours % len(_LINE_STYLES)]


def curve_plot(curves: Sequence[Curve | None], frame: PlotFrame) -> str:
    """One SVG element: a line per curve, with the look of its position; None leaves a position out."""
    with rc_context(PLOT_STYLE):
        figure = Figure(figsize=(5.6, 3.8), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for position, curve in enumerate(curves):
            if curve is None:
                continue
            colour, style = line_look(position)
            marker = "o" if len(curve.x) < 8 else None
            axes.plot(curve.x, curve.y, color=colour, linestyle=style, linewidth=2, marker=marker, markersize=4)
        _dress(axes, frame)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline_svg(text.getvalue(), frame.name, f"{frame.y_label} over {frame.x_label}")


def _dress(axes: Axes, frame: PlotFrame) -> None:
    axes.set_xlabel(frame.x_label, color=INK)
    axes.set_ylabel(frame.y_label, color=INK, labelpad=8)
    axes.set_ylim(0, 1.02)
    if frame.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.minorticks_off()
    else:
        axes.set_xlim(0, 1.02)
    axes.grid(color=INK, alpha=0.15, linewidth=0.8)
    axes.tick_params(colors=INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def inline_svg(document: str, name: str, label: str) -> str:
    """The bare `<svg>` element: no prolog, metadata or style sheet, ids that begin with `name`, ink and size left to
    the page. `label` is read to people who do not see it."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', svg)
    svg = svg.replace(INK, "currentColor")
    role = f'role="img" aria-label="{label}"'
    return re.sub(r"<svg [^>]*>", lambda tag: _sized_by_page(tag.group(), role), svg, count=1).replace("\n", " ")


def _sized_by_page(tag: str, role: str) -> str:
    return re.sub(r' (width|height)="[^"]*"', "", tag).replace("<svg", f"<svg {role}")
