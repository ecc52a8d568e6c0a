"""The page in a real browser: by keyboard, with a key, at every width and in both themes."""

from __future__ import annotations

import functools
import operator
from pathlib import Path

import pytest

from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_client.search_client import SearchClient
from tests.chromium_page import ChromiumPage
from tests.end_to_end.browsed_service import BrowsedCatalog, browsed_service
from tests.end_to_end.page_visit import (
    DIALOG,
    DONE,
    SEEN,
    catalog,
    chromium,
    client,
    contrast_of,
    id_of_key,
    open_page,
    page,
    url,
    wait_for_heading,
)

__all__ = ["catalog", "chromium", "client", "page", "url"]


def test_the_keyboard_is_enough(page: ChromiumPage, url: str) -> None:
    open_page(page, url)
    page.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = []
    while "card-picture" not in reached:
        page.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert len(reached) < 20, reached
        outline = page.evaluate(
            "(() => { const active = document.activeElement; const shown = active.id === 'file' ?"
            " active.nextElementSibling : active; return getComputedStyle(shown).outlineStyle; })()"
        )
        assert outline != "none", reached
    assert {"home", "file", "k", "radius", "where", "others"} <= set(reached)
    page.press("Enter")
    wait_for_heading(page, "Nearest to")
    assert page.evaluate("document.activeElement.id") == "results"
    page.press("Tab")
    page.press("Tab")
    assert page.texts(":focus") == ["Compare"]
    page.press("Enter")
    page.wait_for(DIALOG)
    page.press("Escape")
    page.wait_for("!document.querySelector('#compare').open")
    assert page.texts(":focus") == ["Compare"]
    assert page.evaluate("document.querySelector('#summary').getAttribute('aria-live')") == "polite"
    assert page.complaints() == []


def test_everything_that_can_be_used_has_a_name(page: ChromiumPage, url: str, client: SearchClient) -> None:
    page.send("Accessibility.enable")
    open_page(page, f"{url}/?id={id_of_key(client, '20.png')}&where=width%3E0")
    in_page = _named(page)
    assert len(in_page["link"]) == 24 + 2
    assert {"Results", "Radius bits", "Filter", "Choose a picture", "Remove filter width>0"} <= set(
        functools.reduce(operator.iadd, in_page.values(), [])
    )
    page.click(".card:nth-child(3) .quiet")
    page.wait_for(DIALOG)
    assert {"Previous result", "Next result", "Close"} <= set(_named(page)["button"])


def _named(page: ChromiumPage) -> dict[str, list[str]]:
    """Names of what a visitor can act on, by role, as a screen reader tells them. Fails the test for an empty one."""
    names: dict[str, list[str]] = {"link": [], "button": []}
    for node in page.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if role in ("link", "button", "textbox", "spinbutton", "combobox") and not node["ignored"]:
            name = node.get("name", {}).get("value", "").strip()
            assert name, node
            names.setdefault(role, []).append(name)
    return names


def test_a_key_is_asked_for_and_kept_in_the_tab_only(page: ChromiumPage, catalog: BrowsedCatalog) -> None:
    keys, key = ApiKeys().with_new("reader", "read")
    with browsed_service(catalog.folder, keys) as url:
        page.open(url)
        page.wait_for("document.querySelector('#key-dialog').open")
        page.type("bq_wrong")
        page.press("Enter")
        page.wait_for("!document.querySelector('#key-problem').hidden && document.querySelector('#key-dialog').open")
        page.type(key)
        page.press("Enter")
        page.wait_for(f"document.querySelectorAll('.card').length > 0 && {DONE}")
        page.wait_for("[...document.querySelectorAll('.card img')].slice(0, 5).every((each) => each.naturalWidth > 0)")
        sources = page.evaluate("[...document.querySelectorAll('.card img')].slice(0, 5).map((each) => each.src)")
        assert all(source.startswith("blob:") for source in sources)
        assert page.evaluate("[location.href, document.cookie, JSON.stringify(localStorage)]") == [f"{url}/", "", "{}"]
        assert not [each for each in page.requested_urls() if key in each]
        page.click("#key-button")
        page.click("#key-forget")
        page.wait_for("document.querySelector('#key-dialog').open")
        assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_every_width_and_theme(
    page: ChromiumPage, url: str, client: SearchClient, tmp_path: Path, width: int, theme: str
) -> None:
    page.look_like(width=width, height=800, theme=theme, still=True)
    start = id_of_key(client, "20.png")
    for address in (url, f"{url}/?id={start}"):
        open_page(page, address)
        page.wait_for(SEEN)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click(".card:last-child .quiet")
    page.wait_for(DIALOG)
    assert page.evaluate("document.querySelector('#compare').scrollWidth") <= width
    for selector in ("#results", "#summary", ".caption", ".hint", ".details dt", ".bit", ".bit.differs", ".button"):
        assert contrast_of(page, selector) >= 4.5, selector
    assert page.evaluate("getComputedStyle(document.querySelector('.grid')).transitionDuration") == "0s"
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert page.complaints() == []
