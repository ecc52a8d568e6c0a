"""Whatever bytes or fields a caller sends: an answer, or a problem that is the caller's; never a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.search_api.problems import MEDIA_TYPE
from tests.pipeline.jobs.search_examples import picture
from tests.pipeline.search_api.running_service import Reply, RunningService, running_service
from tests.pipeline.search_api.served_pictures import INDEX, make_served_catalog

_SETTINGS = settings(
    max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
QUERY = f"/v1/indexes/{INDEX}/query"
JSON_PATHS = (QUERY, f"{QUERY}/batch", "/v1/encode", "/v1/compare", "/v1/deletes", "/v1/aliases", "/knn-service")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("image_b64", "code", "id", "key", "k", "radius", "where", "ties", "queries", "index", "images_b64", "a", "b")
NEAR_MISSES = st.fixed_dictionaries(
    {"index": st.just(INDEX)},
    optional={
        "code": st.text("0123456789abcdef=+/", max_size=6),
        "id": st.integers(-2, 2**64) | st.text("0123456789", max_size=20),
        "key": st.text(max_size=10) | st.just("3.png"),
        "k": st.integers(-1, 1100),
        "radius": st.integers(-1, 2**40),
        "where": st.lists(
            st.sampled_from(["label=class 1", "label", "=", "width>4", "nope=1", "label>=5"]), max_size=3
        ),
        "ties": st.sampled_from(["id", "all", "none"]),
        "allow_partial": st.booleans(),
        "exclude_self": st.booleans(),
    },
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    catalog = make_served_catalog(str(tmp_path_factory.mktemp("catalog")))
    with running_service(catalog.catalog, INDEX) as running:
        yield running


def _check(reply: Reply) -> None:
    assert reply.status < 500, reply.body
    if reply.status != 200:
        assert reply.headers["content-type"] == MEDIA_TYPE
        assert reply.json()["detail"]


@_SETTINGS
@given(path=st.sampled_from(JSON_PATHS), body=st.binary(max_size=80))
def test_any_bytes(running: RunningService, path: str, body: bytes) -> None:
    _check(running.send(path, body))


@_SETTINGS
@given(path=st.sampled_from(JSON_PATHS), fields=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
def test_any_values_of_known_fields(running: RunningService, path: str, fields: dict[str, Any]) -> None:
    _check(running.send(path, json.dumps(fields).encode()))


@_SETTINGS
@given(asked=NEAR_MISSES)
def test_queries_that_are_nearly_right(running: RunningService, asked: dict[str, Any]) -> None:
    query = {name: value for name, value in asked.items() if name != "index"}
    _check(running.post(QUERY, query))
    _check(running.post(f"{QUERY}/batch", {"queries": [{"code": "0000"}, _of(query)], **_without(query)}))


@_SETTINGS
@given(cut=st.integers(0, len(picture(1)) - 1), flipped=st.integers(0, len(picture(1)) - 1))
def test_any_damaged_picture(running: RunningService, cut: int, flipped: int) -> None:
    data = bytearray(picture(1))
    data[flipped] ^= 0x20
    _check(running.send(f"{QUERY}/image", bytes(data), "image/png"))
    _check(running.send(f"{QUERY}/image", picture(1)[:cut], "image/png"))


def _of(query: dict[str, Any]) -> dict[str, Any]:
    return {name: query[name] for name in ("code", "id", "key") if name in query}


def _without(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if name not in ("code", "id", "key")}
