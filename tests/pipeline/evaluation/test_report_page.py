import re
from html.parser import HTMLParser

import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.report_page import render_report_page
from tests.pipeline.evaluation.small_evaluation import small_report

REPORTS = [small_report(), small_report(num_bits=32, method="itq")]
VOID = {"meta", "img", "link", "br", "line"}


class _Tags(HTMLParser):
    """Collects tags with attributes and checks that they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(page)
    assert parser.open == []
    return parser.seen


def test_the_page_asks_the_network_for_nothing() -> None:
    page = render_report_page(REPORTS)
    tags = _tags(page)
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe", "object", "form")]
    loaded = [value or "" for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")]
    assert loaded
    assert all(uri.startswith("data:image/") for uri in loaded)
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)


def test_the_policy_forbids_everything_but_inline_styles_and_data_pictures() -> None:
    policies = [
        attributes["content"]
        for tag, attributes in _tags(render_report_page(REPORTS))
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    expected = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert policies == [expected]


def test_every_run_metric_and_picture_is_on_it() -> None:
    page = render_report_page(REPORTS)
    for report in REPORTS:
        assert report.title in page
        for name, value in report.metrics.items():
            assert name in page
            assert f"{value:.4f}" in page
    shown = sum(1 + len(row.neighbours) for report in REPORTS for row in report.gallery)
    assert sum(tag == "img" for tag, _ in _tags(page)) == shown
    relevant = sum(bool(item.relevant) for report in REPORTS for row in report.gallery for item in row.neighbours)
    assert sum(attributes.get("class") == "right" for _, attributes in _tags(page)) == relevant > 0


def test_labels_cannot_inject_markup() -> None:
    page = render_report_page([small_report(label='<script>alert("x")</script>')], title="<b>bold</b>")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in page


def test_it_follows_dark_mode_and_narrow_screens() -> None:
    page = render_report_page(REPORTS)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_no_report_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one report"):
        render_report_page([])
