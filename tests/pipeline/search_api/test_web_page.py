"""The page's files as a browser gets them. `tests/end_to_end/test_web_page_in_chromium.py` uses the page."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.web_page import PAGE_PATHS
from tests.pipeline.search_api.running_service import ask, running_service
from tests.pipeline.search_api.served_pictures import INDEX, ServedPictures, served

__all__ = ["served"]

WEB = files("pipeline.search_api").joinpath("web")


def test_every_file_is_sent_and_nothing_else() -> None:
    names = {path.removeprefix("/page/") for path in PAGE_PATHS} - {"/"}
    assert names | {"index.html"} == {file.name for file in WEB.iterdir()}


@pytest.mark.parametrize("path", sorted(PAGE_PATHS))
def test_files_have_strict_headers(served: ServedPictures, path: str) -> None:
    reply = served.running.get(path)
    assert reply.status == 200
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    name = "index.html" if path == "/" else path.split("/")[-1]
    assert reply.body == WEB.joinpath(name).read_bytes()
    kind = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    assert reply.headers["content-type"].split(";")[0] == kind[name.rsplit(".", 1)[1]]


def test_a_file_that_the_browser_has_is_not_sent_again(served: ServedPictures) -> None:
    first = served.running.get("/page/page.js")
    assert first.headers["cache-control"] == "no-cache"
    again = served.running.get("/page/page.js", {"If-None-Match": f'W/{first.headers["etag"]}, "other"'})
    assert (again.status, again.body) == (304, b"")
    assert served.running.get("/page/page.js", {"If-None-Match": '"older"'}).status == 200


def test_other_names_are_not_served(served: ServedPictures) -> None:
    for path in ("/page/../web_page.py", "/page/%2e%2e/web_page.py", "/page/", "/page/index.html", "/web/page.js"):
        assert served.running.get(path).status == 404, path
    assert ask(served.running.url, "POST", "/").status == 405
    head = ask(served.running.url, "HEAD", "/")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) == len(WEB.joinpath("index.html").read_bytes())


def test_the_page_needs_no_key_but_what_it_shows_does(served: ServedPictures) -> None:
    keys, key = ApiKeys().with_new("reader", "read")
    with running_service(served.catalog.catalog, INDEX, keys=keys) as locked:
        assert {locked.get(path).status for path in PAGE_PATHS} == {200}
        thumbnail = f"/v1/indexes/{INDEX}/items/{served.ids[0]}/thumbnail"
        for path in ("/v1/indexes", thumbnail, "/page/other.js"):
            assert locked.get(path).status == 401
        assert locked.get("/v1/indexes", {"Authorization": f"Bearer {key}"}).status == 200


def test_the_files_name_no_other_place_and_hold_no_inline_code() -> None:
    html = WEB.joinpath("index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", html)
    for file in WEB.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\beval\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text), (
            file.name
        )
