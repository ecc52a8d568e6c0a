"""Drawings of a comparison as inline SVG: curves of groups of methods, times as bars, codes as points."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from pipeline.evaluation.finished_run import CodeMap
from pipeline.evaluation.method_comparison import MethodRow
from pipeline.evaluation.report_plots import INK, LINE_COLOURS, PLOT_STYLE, PlotFrame, curve_plot, inline_svg
from pipeline.evaluation.retrieval_measurement import Curve

_MAP_SIDE = 200
_OTHER_COLOUR = "#8a929c"
_POINT_COLOURS = (*LINE_COLOURS, "#6f63e0", "#9c6b3f")


def curve_plots(rows: Sequence[MethodRow], num_bits: int, name: str) -> list[str]:
    """P-R curve and precision@k of the rows at one code length; `name` sets the ids apart."""
    recall = PlotFrame(name=f"{name}-pr", x_label="recall", y_label="precision")
    cutoff = PlotFrame(name=f"{name}-pk", x_label="k nearest neighbours", y_label="precision@k", log_x=True)
    return [
        curve_plot([_curve(row, num_bits, ("precision_recall", "recall", "precision")) for row in rows], recall),
        curve_plot([_curve(row, num_bits, ("precision_at_k", "k", "precision")) for row in rows], cutoff),
    ]


def time_plot(names: Sequence[str], seconds: Sequence[float], label: str, name: str) -> str:
    """Horizontal bars on a logarithmic axis, one per name, in their order from the top."""
    with rc_context(PLOT_STYLE):
        figure = Figure(figsize=(4.6, 0.8 + 0.27 * len(names)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        shortest = max(min(seconds), 1e-4)
        axes.barh(range(len(names)), [max(value, shortest) for value in seconds], color=LINE_COLOURS[0], height=0.65)
        axes.set_xscale("log")
        axes.set_xlim(left=shortest / 2)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel(label, color=INK)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.tick_params(colors=INK)
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.8)
        axes.set_axisbelow(True)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "left")
            spine.set_color(INK)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline_svg(text.getvalue(), name, label)


def map_plot(code_map: CodeMap, label: str) -> str:
    """The codes as points, one colour per class; drawn by hand, because every point counts in bytes."""
    paths = []
    for number in range(len(code_map.classes)):
        points = "".join(
            f"M{8 + x * (_MAP_SIDE - 16):.0f} {8 + y * (_MAP_SIDE - 16):.0f}h0"
            for x, y, own in zip(code_map.x, code_map.y, code_map.class_numbers, strict=True)
            if own == number
        )
        paths.append(f'<path d="{points}" stroke="{point_colour(number)}"/>')
    body = "".join(paths)
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_MAP_SIDE} {_MAP_SIDE}" fill="none" '
        f'stroke-width="3" stroke-linecap="round">{body}</svg>'
    )


def point_colour(class_number: int) -> str:
    """Colour of a class of `CodeMap.classes`; gray for those beyond the ten that have their own."""
    return _POINT_COLOURS[class_number] if class_number < len(_POINT_COLOURS) else _OTHER_COLOUR


def _curve(row: MethodRow, num_bits: int, names: tuple[str, str, str]) -> Curve | None:
    if num_bits not in row.lengths:
        return None
    x, y = row.lengths[num_bits].curve(*names)
    return Curve(x=tuple(x), y=tuple(y))
