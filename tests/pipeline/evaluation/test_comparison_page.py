import re
from dataclasses import replace

import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.comparison_page import metric_name, render_comparison_page
from pipeline.evaluation.comparison_plan import FEATURE_RULE
from tests.pipeline.evaluation.small_comparison import small_comparison


def _table(page: str, heading: str) -> list[list[str]]:
    """The texts of the cells of the first table after a heading, row by row."""
    table = page[page.index(f"<h2>{heading}</h2>") :].split("</table>")[0]
    rows = re.findall(r"<tr[ >].*?</tr>", table, flags=re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", r, re.DOTALL)] for r in rows
    ]


def test_the_headline_table_has_every_method_with_its_spread() -> None:
    page = render_comparison_page(small_comparison())
    assert _table(page, "mAP@10") == [
        ["method features", "seeds", "8 bits", "16 bits"],
        ["Without labels"],
        ["itqpixels", "1", "–", "0.7500"],
        ["lshpixels", "1", "0.5000", "0.5000"],
        ["With labels"],
        ["dsh (learned codes)pixels", "1", "–", "0.9900"],
        ["dshpixels", "3", "0.9100 ± 0.0100", "0.9100 ± 0.0100"],
    ]
    best = re.findall(r'<td class="best">([^<]*)<', page.split("<h2>Other metrics")[0])
    assert best == ["0.7500", "0.9900"]


def test_costs_and_distinct_codes_are_there() -> None:
    rows = _table(render_comparison_page(small_comparison()), "What it costs")
    assert rows[1] == ["training", "hashing", "codes"] * 2
    assert rows[3][:4] == ["itqpixels", "–", "–", "–"]
    assert rows[3][4:6] == ["1.5 s", "31,250 µs"]


def test_every_part_is_drawn() -> None:
    page = render_comparison_page(small_comparison())
    assert page.count('role="img"') == 2 * 2 * 2 + 2 + 4  # curves, times, maps
    assert FEATURE_RULE in page
    assert page.count('class="answer"') == 2 * 4
    assert "itq, 8 bits: too few" in page
    assert "pq, 8 bits, failed: no words" in page
    assert "2026-01-02" in page


def test_the_page_asks_the_network_for_nothing_and_escapes() -> None:
    page = render_comparison_page(small_comparison(label="<script>alert(1)</script>"))
    assert "<script" not in page
    assert not re.findall(r"url\((?!#)", page)
    assert all(uri.startswith("data:image/") for uri in re.findall(r'(?:src|href)="(?!#)([^"]*)"', page))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_nothing_measured_is_an_error_with_the_reasons() -> None:
    with pytest.raises(UsageError, match="no method could be measured: pq: no words; itq: too few"):
        render_comparison_page(replace(small_comparison(), runs=()))


def test_metrics_are_named_as_papers_do() -> None:
    names = ["map_at_1000", "ap_all", "precision_at_10", "other"]
    assert [metric_name(name) for name in names] == ["mAP@1000", "AP_all", "P@10", "other"]
