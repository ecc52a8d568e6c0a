"""A visit to the page: the service, the browser, and what tests ask of both."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pipeline.search_client.search_client import QueryBy, SearchClient, SearchTerms
from pipeline.search_client.service_answers import Hit
from tests.chromium_page import ChromiumPage, chromium_page
from tests.end_to_end.browsed_service import NUM_DRAWINGS, BrowsedCatalog, browsed_service, make_browsed_catalog

DONE = "!document.body.classList.contains('busy') && document.querySelector('#summary').textContent !== ''"
FAILED = "!document.querySelector('#problem').hidden"
SEEN = "[...document.images].every((each) => each.getBoundingClientRect().top > innerHeight || each.complete)"
DIALOG = "document.querySelector('#compare').open && document.querySelector('#compare-body').children.length > 0"
FIRST_K = SearchTerms(k=24)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> BrowsedCatalog:
    return make_browsed_catalog(tmp_path_factory.mktemp("browsed"))


@pytest.fixture(scope="module")
def url(catalog: BrowsedCatalog) -> Iterator[str]:
    with browsed_service(catalog.folder) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[SearchClient]:
    with SearchClient(url) as client:
        yield client


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromiumPage]:
    with chromium_page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(chromium: ChromiumPage) -> ChromiumPage:
    """A visitor's first visit, in a window for a mouse."""
    chromium.start_over()
    chromium.look_like(width=1200, height=800, theme="light")
    return chromium


def open_page(page: ChromiumPage, address: str) -> None:
    page.open(address)
    page.wait_for(DONE)


def shown_ids(page: ChromiumPage) -> list[int]:
    ids = page.evaluate("[...document.querySelectorAll('.card-picture')].map((each) => each.dataset.id)")
    return [int(each) for each in ids]


def hit_ids(hits: tuple[Hit, ...]) -> list[int]:
    return [hit.id for hit in hits]


def heading_of(page: ChromiumPage) -> str:
    return page.texts("#results")[0]


def wait_for_heading(page: ChromiumPage, text: str) -> None:
    page.wait_for(f"document.querySelector('#results').textContent.includes({json.dumps(text)}) && {DONE}")


def id_of_key(client: SearchClient, key: str) -> int:
    answer = client.query("drawings", QueryBy(key=key), SearchTerms(k=1, exclude_self=False, where=("width>0",)))
    everything = client.query("drawings", QueryBy(key=key), SearchTerms(k=NUM_DRAWINGS, exclude_self=False))
    assert answer.generation == everything.generation
    return next(hit.id for hit in everything.hits if hit.key == key)


def contrast_of(page: ChromiumPage, selector: str) -> float:
    """WCAG 2.1 contrast of an element's text with what is painted behind it."""
    return float(
        page.evaluate(
            """((selector) => {
              const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
              const light = (colour) => numbers(colour).slice(0, 3).map((each) => each / 255)
                .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
                .reduce((sum, each, place) => sum + each * [0.2126, 0.7152, 0.0722][place], 0);
              let element = document.querySelector(selector);
              const text = light(getComputedStyle(element).color);
              const clear = (colour) => numbers(colour).length === 4 && numbers(colour)[3] === 0;
              while (clear(getComputedStyle(element).backgroundColor)) element = element.parentElement;
              const ground = light(getComputedStyle(element).backgroundColor);
              return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
            })"""
            + f"({json.dumps(selector)})"
        )
    )
