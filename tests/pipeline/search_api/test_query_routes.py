"""Search over HTTP gives what the slow obvious way gives."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pipeline.search_api.answer_models import BatchAnswer, QueryAnswer
from tests.pipeline.jobs.search_examples import picture
from tests.pipeline.search_api.served_pictures import ServedPictures, served

__all__ = ["served"]


def _code(served: ServedPictures, row: int) -> str:
    return bytes(served.codes.packed[row]).hex()


def _pairs(answer: dict[str, Any]) -> list[tuple[int, int]]:
    return [(hit["distance"], int(hit["id"])) for hit in answer["hits"]]


@pytest.mark.parametrize("row", [0, 17, 59])
def test_a_code_finds_its_nearest_items(served: ServedPictures, row: int) -> None:
    reply = served.running.post(served.path(), {"code": _code(served, row), "k": 7})
    assert reply.status == 200
    answer = QueryAnswer.model_validate(reply.json())
    assert _pairs(reply.json()) == served.nearest(served.codes.packed[row])[:7]
    assert (answer.degraded, answer.coverage, answer.rows_searched) == (False, 1.0, len(served.ids))
    assert {"search", "payload", "total"} <= set(answer.timing_ms)
    keys = dict(zip(served.ids.tolist(), served.keys, strict=True))
    assert [hit.key for hit in answer.hits] == [keys[int(hit.id)] for hit in answer.hits]
    assert answer.hits[0].payload["label"].startswith("class ")


def test_a_code_in_base64_is_the_same_query(served: ServedPictures) -> None:
    raw = served.codes.packed[3].tobytes()
    in_hex = served.running.post(served.path(), {"code": raw.hex()}).json()
    in_base64 = served.running.post(served.path(), {"code": base64.b64encode(raw).decode()}).json()
    assert in_hex["hits"] == in_base64["hits"]
    assert in_hex["query_code"] == in_base64["query_code"] == raw.hex()


def test_an_item_finds_others_by_id_and_by_key(served: ServedPictures) -> None:
    item = int(served.ids[5])
    expected = served.nearest(served.codes.packed[5], exclude_id=item)[:4]
    for asked in ({"id": item}, {"id": str(item)}, {"key": served.keys[5]}):
        assert _pairs(served.running.post(served.path(), {**asked, "k": 4}).json()) == expected
    with_self = served.running.post(served.path(), {"id": item, "k": 4, "exclude_self": False}).json()
    assert _pairs(with_self) == served.nearest(served.codes.packed[5])[:4]


def test_a_picture_finds_itself_as_upload_and_in_base64(served: ServedPictures) -> None:
    row = served.keys.index("8.png")
    upload = served.running.send(served.path("query/image?k=3"), picture(8), "image/png").json()
    inside = served.running.post(served.path(), {"image_b64": base64.b64encode(picture(8)).decode(), "k": 3}).json()
    assert _pairs(upload) == _pairs(inside) == served.nearest(served.codes.packed[row])[:3]
    assert upload["query_code"] == _code(served, row)
    assert set(upload["timing_ms"]) == {"decode", "encode", "search", "payload", "total"}


def test_radius_and_conditions_limit_the_hits(served: ServedPictures) -> None:
    asked = {"code": _code(served, 1), "k": 60, "radius": 5, "where": ["label=class 1"]}
    answer = served.running.post(served.path(), asked).json()
    numbers = {item: int(key.split(".")[0]) for item, key in zip(served.ids.tolist(), served.keys, strict=True)}
    expected = [pair for pair in served.nearest(served.codes.packed[1]) if pair[0] <= 5 and numbers[pair[1]] % 3 == 1]
    assert expected
    assert _pairs(answer) == expected
    assert answer["ties"] == {"policy": "id", "kth_distance": None, "complete": True}


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ties_are_told_and_all_of_them_given_on_request(served: ServedPictures, k: int) -> None:
    everything = served.nearest(served.codes.packed[2])
    kth = everything[k - 1][0]
    first = served.running.post(served.path(), {"code": _code(served, 2), "k": k}).json()
    every = served.running.post(served.path(), {"code": _code(served, 2), "k": k, "ties": "all"}).json()
    assert first["ties"] == {"policy": "id", "kth_distance": kth, "complete": everything[k][0] != kth}
    assert every["ties"] == {"policy": "all", "kth_distance": kth, "complete": True}
    assert _pairs(every) == [pair for pair in everything if pair[0] <= kth]


def test_without_payload_hits_are_short(served: ServedPictures) -> None:
    answer = served.running.post(served.path(), {"code": _code(served, 2), "with_payload": False}).json()
    assert set(answer["hits"][0]) == {"rank", "id", "distance"}


def test_a_batch_answers_each_query_by_itself(served: ServedPictures) -> None:
    queries = [
        {"code": _code(served, 4)},
        {"key": "no such key"},
        {"id": str(served.ids[6])},
        {"image_b64": base64.b64encode(picture(9)).decode()},
        {"image_b64": base64.b64encode(b"no picture").decode()},
        {"code": "00", "id": 5},
    ]
    reply = served.running.post(served.path("query/batch"), {"queries": queries, "k": 5})
    assert reply.status == 200, reply.body
    BatchAnswer.model_validate(reply.json())
    results = reply.json()["results"]
    assert _pairs(results[0]) == served.nearest(served.codes.packed[4])[:5]
    assert _pairs(results[2]) == served.nearest(served.codes.packed[6], exclude_id=int(served.ids[6]))[:5]
    assert _pairs(results[3]) == served.nearest(served.codes.packed[served.keys.index("9.png")])[:5]
    assert [result.get("error", {}).get("status") for result in results] == [None, 404, None, None, 400, 400]
