"""The page in a real browser: what a visitor does with mouse and files, and what must never happen."""

from __future__ import annotations

from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.search_client.search_client import SearchClient, SearchTerms
from tests.chromium_page import ChromiumPage
from tests.end_to_end.browsed_service import HOSTILE, NUM_DRAWINGS, BrowsedCatalog, browsed_service
from tests.end_to_end.page_visit import (
    DIALOG,
    DONE,
    FAILED,
    FIRST_K,
    SEEN,
    catalog,
    chromium,
    client,
    heading_of,
    hit_ids,
    id_of_key,
    open_page,
    page,
    shown_ids,
    url,
    wait_for_heading,
)
from tests.pipeline.routing.port_examples import CALLS, fails, replace_calls
from tests.pipeline.search_api.running_service import running_service, wait_until

__all__ = ["catalog", "chromium", "client", "page", "url"]


def test_a_first_visit_shows_pictures_and_what_the_index_is(page: ChromiumPage, url: str) -> None:
    open_page(page, url)
    page.wait_for(SEEN)
    assert len(shown_ids(page)) == 24
    assert page.texts("#facts") == [f"{NUM_DRAWINGS} pictures · 12-bit codes · lsh12@1"]
    assert "Generation" in page.texts("#about dt")
    assert page.texts("#index option") == ["drawings", "others"]
    assert page.evaluate("[...document.images].filter((each) => each.complete && !each.naturalWidth).length") == 0
    assert page.complaints() == []
    assert {urlsplit(each).netloc for each in page.requested_urls()} == {urlsplit(url).netloc}


def test_upload_click_through_and_the_way_back(
    page: ChromiumPage, url: str, catalog: BrowsedCatalog, client: SearchClient
) -> None:
    open_page(page, url)
    page.choose_file("#file", catalog.files[30])
    wait_for_heading(page, "30.png")
    expected = client.query_image("drawings", catalog.files[30], FIRST_K)
    assert shown_ids(page) == hit_ids(expected.hits)
    assert page.texts(".distance") == [f"{hit.distance}\u00a0bit{'s' * (hit.distance != 1)}" for hit in expected.hits]
    assert page.texts(".caption") == [hit.payload["title"] for hit in expected.hits]
    assert page.texts(".card .label") == [hit.payload["label"] for hit in expected.hits]
    clicked = expected.hits[5]
    page.click(".card:nth-child(6) .card-picture")
    wait_for_heading(page, clicked.payload["title"])
    assert page.evaluate("new URLSearchParams(location.search).get('id')") == str(clicked.id)
    neighbours = client.query_id("drawings", clicked.id, FIRST_K)
    assert shown_ids(page) == hit_ids(neighbours.hits)
    page.evaluate("history.back()")
    wait_for_heading(page, "30.png")
    assert shown_ids(page) == hit_ids(expected.hits)
    page.evaluate("history.forward()")
    wait_for_heading(page, clicked.payload["title"])
    page.open(page.evaluate("location.href"))  # a bookmark
    wait_for_heading(page, clicked.payload["title"])
    assert shown_ids(page) == hit_ids(neighbours.hits)
    assert page.complaints() == []


def test_options_limit_the_results_and_stand_in_the_address(page: ChromiumPage, url: str, client: SearchClient) -> None:
    start = client.query_code("drawings", b"\0\0", SearchTerms(k=1)).hits[0].id
    open_page(page, f"{url}/?index=drawings&id={start}&k=60")
    assert shown_ids(page) == hit_ids(client.query_id("drawings", start, SearchTerms(k=60)).hits)
    page.evaluate("document.querySelector('#radius').focus()")
    page.type("4")
    page.press("Enter")
    near = client.query_id("drawings", start, SearchTerms(k=60, radius=4))
    page.wait_for(f"document.querySelectorAll('.card').length === {len(near.hits)} && {DONE}")
    assert shown_ids(page) == hit_ids(near.hits)
    label = near.hits[0].payload["label"]
    page.click(".card .label")
    page.wait_for("document.querySelectorAll('#conditions li').length === 1")
    page.wait_for(DONE)
    terms = SearchTerms(k=60, radius=4, where=(f"label={label}",))
    assert shown_ids(page) == hit_ids(client.query_id("drawings", start, terms).hits)
    assert page.evaluate("new URLSearchParams(location.search).getAll('where')") == [f"label={label}"]
    page.click("#conditions button")
    page.wait_for("document.querySelectorAll('#conditions li').length === 0")
    page.wait_for(DONE)
    assert shown_ids(page) == hit_ids(near.hits)
    page.evaluate(
        "document.querySelector('#index').value = 'others';"
        "document.querySelector('#index').dispatchEvent(new Event('change'))"
    )
    page.wait_for("location.search.includes('index=others') && " + DONE)
    assert page.complaints() == []


def test_comparison_shows_as_many_differing_bits_as_the_distance(
    page: ChromiumPage, url: str, catalog: BrowsedCatalog, client: SearchClient
) -> None:
    open_page(page, url)
    page.choose_file("#file", catalog.files[12])
    wait_for_heading(page, "12.png")
    hits = client.query_image("drawings", catalog.files[12], FIRST_K).hits
    for place in (0, 10, 23):
        page.click(f".card:nth-child({place + 1}) .quiet")
        page.wait_for(DIALOG)
        for side in (1, 2):
            assert len(page.texts(f".side:nth-child({side}) .bit")) == 12
            assert len(page.texts(f".side:nth-child({side}) .bit.differs")) == hits[place].distance
        assert page.texts("#compare-title") == [f"{hits[place].distance} of 12 bits differ"]
        page.press("Escape")
        page.wait_for("!document.querySelector('#compare').open")
    page.click(".card:nth-child(1) .quiet")
    page.press("ArrowRight")
    page.wait_for(f"document.querySelector('#compare-body').innerText.includes('{hits[1].id}')")
    assert page.complaints() == []


def test_text_of_the_index_is_only_text(page: ChromiumPage, url: str, client: SearchClient) -> None:
    hostile = id_of_key(client, "7.png")
    open_page(page, f"{url}/?index=drawings&id={hostile}")
    assert heading_of(page) == f"Nearest to {HOSTILE}"
    nearest = client.query_id("drawings", hostile, SearchTerms(k=1)).hits[0].id
    back = client.query_id("drawings", nearest, SearchTerms(k=NUM_DRAWINGS)).hits
    place = hit_ids(back).index(hostile)
    open_page(page, f"{url}/?index=drawings&id={nearest}&k={NUM_DRAWINGS}")
    assert page.texts(".caption")[place] == HOSTILE
    page.click(f".card:nth-child({place + 1}) .quiet")
    page.wait_for(DIALOG)
    assert HOSTILE in page.texts("#compare-body")[0]
    assert page.complaints() == []


def test_a_deleted_item_is_gone(page: ChromiumPage, url: str, client: SearchClient) -> None:
    start = id_of_key(client, "40.png")
    open_page(page, f"{url}/?index=drawings&id={start}")
    gone = shown_ids(page)[0]
    assert client.delete("drawings", ids=[gone]).num_deleted == 1
    open_page(page, f"{url}/?index=drawings&id={start}")
    assert gone not in shown_ids(page)
    assert shown_ids(page) == hit_ids(client.query_id("drawings", start, FIRST_K).hits)
    assert page.complaints() == []
    page.open(f"{url}/?index=drawings&id={gone}")
    page.wait_for(FAILED)
    assert page.texts("#problem p")[0] == f"Index drawings holds no item with id {gone}."
    assert _status(url, f"/v1/indexes/drawings/items/{gone}/thumbnail") == 404


def test_errors_are_told_kindly(page: ChromiumPage, url: str, tmp_path: Path, catalog: BrowsedCatalog) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear service")
    open_page(page, url)
    page.choose_file("#file", letter)
    page.wait_for(FAILED)
    assert "Not a JPEG, PNG" in page.texts("#problem p")[0]
    assert heading_of(page) == "That did not work"
    page.choose_file("#file", catalog.files[3])
    wait_for_heading(page, "3.png")
    assert page.evaluate("document.querySelector('#problem').hidden")
    for query, said in (
        ("where=colour%3Dred", "colour"),
        ("k=100000", "k = 100000: expected"),
        ("index=nothing", "nothing"),
    ):
        page.open(f"{url}/?{query}")
        page.wait_for(FAILED)
        assert said in page.texts("#problem p")[0]
    assert "{" not in page.evaluate("document.body.innerText")
    page.click("#problem .button:last-child")
    page.wait_for(f"document.querySelector('#problem').hidden && {DONE}")
    # The browser itself notes each refusal; the page must add nothing.
    assert all(each.startswith("Failed to load resource") for each in page.complaints())


def test_a_picture_can_be_dropped_and_pasted(page: ChromiumPage, url: str, client: SearchClient) -> None:
    shown = client.query_code("drawings", b"\0\0", SearchTerms(k=1)).hits[0]
    open_page(page, url)
    page.evaluate(
        "window.carry = async (name) => {"
        f" const answer = await fetch('/v1/indexes/drawings/items/{shown.id}/thumbnail');"
        " const carried = new DataTransfer();"
        " carried.items.add(new File([await answer.blob()], name, {type: 'image/jpeg'}));"
        " return carried; }"
    )
    page.evaluate("carry('dropped').then((it) => dispatchEvent(new DragEvent('dragover', {dataTransfer: it})))")
    assert page.texts("#curtain") == ["Drop the picture to search with it"]
    page.evaluate(
        "carry('dropped').then((it) => dispatchEvent(new DragEvent('drop', {dataTransfer: it, cancelable: true})))"
    )
    wait_for_heading(page, "Nearest to dropped")
    assert page.evaluate("document.querySelector('#curtain').hidden")
    dropped = shown_ids(page)
    page.evaluate("carry('pasted').then((it) => dispatchEvent(new ClipboardEvent('paste', {clipboardData: it})))")
    wait_for_heading(page, "Nearest to pasted")
    assert shown_ids(page) == dropped
    assert page.complaints() == []


def test_the_policy_holds_and_a_breach_of_it_is_noticed(page: ChromiumPage, url: str) -> None:
    open_page(page, url)
    assert page.complaints() == []
    page.evaluate(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script); new Image().src = 'http://example.invalid/a.png'; })()"
    )
    assert page.evaluate("window.ran") is None
    page.wait_for("true")
    assert [each for each in page.complaints() if "Content Security Policy" in each or "contentSecurity" in each]


def test_an_answer_that_lacks_shards_says_so(page: ChromiumPage, catalog: BrowsedCatalog) -> None:
    with running_service(catalog.folder, "others") as running:
        open_page(page, running.url)
        assert page.evaluate("document.querySelector('#warning').hidden")
        (ports,) = running.ports.values()
        current = running.service.indexes["others"].live._current
        assert current is not None
        current.session.router._searchers[ports[0].name] = replace_calls(ports[0], fails, CALLS)
        wait_until(lambda: running.get("/readyz").status == 503, "the service notices")
        page.click("#others")
        page.wait_for(f"!document.querySelector('#warning').hidden && {DONE}")
        not_ready, degraded = page.texts("#warning p")
        assert "not ready" in not_ready
        assert "50 % of the index" in degraded
        assert len(shown_ids(page)) == 24


def test_a_service_that_has_gone_is_told(page: ChromiumPage, catalog: BrowsedCatalog) -> None:
    with browsed_service(catalog.folder) as url:
        open_page(page, url)
    page.click("#others")
    page.wait_for(FAILED)
    assert "does not answer" in page.texts("#problem p")[0]


def test_a_picture_that_has_gone_leaves_a_tile(page: ChromiumPage, url: str, catalog: BrowsedCatalog) -> None:
    hidden = catalog.files[50].rename(catalog.files[50].with_suffix(".away"))
    try:
        page.send("Network.setCacheDisabled", cacheDisabled=True)
        open_page(page, f"{url}/?index=others&k={NUM_DRAWINGS}")
        page.evaluate("for (const each of document.images) each.loading = 'eager'")
        page.wait_for("document.querySelectorAll('.placeholder').length === 1")
        page.wait_for("[...document.images].every((each) => each.complete)")
    finally:
        hidden.rename(catalog.files[50])
    assert page.texts(".placeholder") == ["no picture"]


def _status(url: str, path: str) -> int:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status
