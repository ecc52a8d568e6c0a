import re
from xml.etree import ElementTree

import pytest

from pipeline.evaluation.report_plots import line_look, precision_at_k_plot, precision_recall_plot
from tests.pipeline.evaluation.small_evaluation import small_report

REPORTS = [small_report(num_bits=bits) for bits in (8, 16)]


@pytest.mark.parametrize("plot", [precision_recall_plot, precision_at_k_plot])
def test_a_plot_is_one_svg_element_with_a_line_per_report(plot: object) -> None:
    assert callable(plot)
    svg = plot(REPORTS)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert all(line_look(position)[0] in svg for position in range(2))
    assert line_look(2)[0] not in svg


def test_ink_is_left_to_the_page() -> None:
    svg = precision_recall_plot(REPORTS)
    assert "currentColor" in svg
    colours = set(re.findall(r"#[0-9a-f]{6}\b", svg))
    assert colours == {line_look(0)[0], line_look(1)[0]}
    assert "<style" not in svg


def test_two_plots_share_no_id_and_every_reference_is_answered() -> None:
    plots = [precision_recall_plot(REPORTS), precision_at_k_plot(REPORTS)]
    ids = [set(re.findall(r'id="([^"]+)"', svg)) for svg in plots]
    assert not ids[0] & ids[1]
    for svg, own in zip(plots, ids, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= own


def test_the_same_reports_give_the_same_bytes() -> None:
    assert precision_recall_plot(REPORTS) == precision_recall_plot(REPORTS)


def test_looks_differ_for_many_runs() -> None:
    assert len({line_look(position) for position in range(32)}) == 32
