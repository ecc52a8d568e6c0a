"""JSON with two meanings, or with what the request has no field for, is refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.search_api.query_request import BatchRequest, QueryRequest
from pipeline.search_api.strict_json import parse_json, read_request

WRONG = {
    "k = true": (b'{"k": true}', "k = true: expected a valid integer"),
    "k text": (b'{"k": "5"}', 'k = "5": expected a valid integer'),
    "k real": (b'{"k": 5.0}', "k = 5.0: expected a valid integer"),
    "k zero": (b'{"k": 0}', "k = 0: expected greater than or equal to 1"),
    "k null": (b'{"k": null}', "k = null"),
    "k huge": (b'{"k": 1' + b"0" * 5000 + b"}", "body: not JSON"),
    "radius negative": (b'{"radius": -1}', "radius = -1"),
    "unknown": (b'{"limit": 5}', '"limit": unknown field; known: '),
    "twice": (b'{"k": 1, "k": 2}', '"k" stands twice'),
    "twice inside": (b'{"where": [{"a": 1, "a": 2}]}', '"a" stands twice'),
    "NaN": (b'{"k": NaN}', "NaN is no JSON number"),
    "infinity": (b'{"k": -Infinity}', "-Infinity is no JSON number"),
    "array": (b"[1]", "expected a JSON object, got an array"),
    "number": (b"1.5", "expected a JSON object, got a number"),
    "nothing": (b"", "body: not JSON"),
    "half": (b'{"k": 1', "body: not JSON"),
    "latin-1": (b'{"key": "\xe9"}', "not UTF-8"),
    "utf-16": ('{"key": "é"}'.encode("utf-16"), "not UTF-8"),
    "half a character": (b'{"key": "\\ud83d"}', "not UTF-8"),
    "half a character as name": (b'{"\\ud83d": 1}', "not UTF-8"),
    "deep": (b'{"where": ' + b"[" * 100_000, "nested too deep"),
    "where text": (b'{"where": "label=a"}', 'where = "label=a"'),
    "where number": (b'{"where": [1]}', "where.0 = 1: expected a valid string"),
    "where long": (b'{"where": ["a=' + b"x" * 1100 + b'"]}', "at most 1024 characters"),
    "ties": (b'{"ties": "first"}', "ties = \"first\": expected 'id' or 'all'"),
    "id negative": (b'{"id": -1}', "id: '-1' is no id"),
    "id too large": (b'{"id": 9223372036854775808}', "2**63 - 1"),
    "id real": (b'{"id": 1.0}', "is no id"),
    "id flag": (b'{"id": true}', "is no id"),
    "id Arabic digits": ('{"id": "٣"}'.encode(), "is no id"),
    "id list": (b'{"id": [1]}', "is no id"),
    "code number": (b'{"code": 12}', "code = 12: expected a valid string"),
    "key long": (b'{"key": "' + b"x" * 5000 + b'"}', "at most 4096 characters"),
    "flag text": (b'{"allow_partial": "no"}', 'allow_partial = "no"'),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_field_and_the_limit_are_named(case: str) -> None:
    body, said = WRONG[case]
    with pytest.raises(UsageError) as raised:
        read_request(body, QueryRequest)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 500


def test_a_query_of_a_batch_is_named_by_its_place() -> None:
    with pytest.raises(UsageError, match=r"^queries\.1\.id: .* is no id"):
        read_request(b'{"queries": [{"id": 1}, {"id": -1}]}', BatchRequest)
    with pytest.raises(UsageError, match=r"^queries = "):
        read_request(b'{"queries": []}', BatchRequest)


def test_what_is_right_is_read() -> None:
    asked = read_request(b'{"id": "9223372036854775807", "k": 3, "where": ["a=1", "b=2"]}', QueryRequest)
    assert (asked.id, asked.k, asked.where, asked.ties) == (2**63 - 1, 3, ("a=1", "b=2"), "id")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(sorted(QueryRequest.model_fields))


@given(st.dictionaries(FIELDS | st.text(max_size=4), JSON, max_size=6))
def test_any_object_is_a_request_or_refused(content: dict[str, object]) -> None:
    try:
        asked = read_request(json.dumps(content).encode(), QueryRequest)
    except UsageError:
        return
    assert set(content) <= set(QueryRequest.model_fields)
    assert isinstance(asked.k, int)


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        content = parse_json(body)
    except UsageError:
        return
    assert content == json.loads(body.decode())
