import re
from xml.etree import ElementTree

from pipeline.evaluation.comparison_plots import curve_plots, map_plot, point_colour, time_plot
from pipeline.evaluation.finished_run import CodeMap
from pipeline.evaluation.report_plots import line_look
from tests.pipeline.evaluation.small_comparison import CODE_MAP, small_comparison


def test_a_row_without_that_length_keeps_its_look_to_itself() -> None:
    rows = small_comparison().rows()[:2]  # itq, which has no 8 bits, and lsh
    for plot in curve_plots(rows, 8, "a"):
        assert ElementTree.fromstring(plot).tag.endswith("svg")
        assert line_look(1)[0] in plot
        assert line_look(0)[0] not in plot


def test_names_keep_ids_apart() -> None:
    rows = small_comparison().rows()
    plots = [*curve_plots(rows, 16, "a"), *curve_plots(rows, 16, "b"), time_plot(["lsh"], [1.0], "seconds", "c")]
    ids = [set(re.findall(r'id="([^"]+)"', plot)) for plot in plots]
    assert len(set.union(*ids)) == sum(map(len, ids))


def test_times_have_a_bar_and_a_name_each_also_when_nothing_was_spent() -> None:
    svg = time_plot(["lsh", "dsh"], [0.0, 250.0], "training, seconds", "t")
    assert ElementTree.fromstring(svg).attrib["aria-label"] == "training, seconds"
    assert "lsh" in svg
    assert "dsh" in svg
    assert svg.count(line_look(0)[0]) == 2
    assert "currentColor" in svg


def test_points_have_the_colour_of_their_class() -> None:
    paths = ElementTree.fromstring(map_plot(CODE_MAP, "map")).findall("path")
    assert [(path.attrib["d"], path.attrib["stroke"]) for path in paths] == [
        ("M8 8h0", point_colour(0)),
        ("M192 100h0", point_colour(1)),
    ]


def test_eleven_colours_differ() -> None:
    assert len({point_colour(number) for number in range(11)}) == 11
    assert point_colour(10) == point_colour(11)
    empty = CodeMap(x=[], y=[], class_numbers=[], classes=[])
    assert ElementTree.fromstring(map_plot(empty, "map")).tag == "svg"
