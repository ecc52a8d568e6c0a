"""The service as a whole: health, state, items, refusals, and the layers around the routes."""

from __future__ import annotations

import base64
from importlib.metadata import version

from pipeline.search_api.answer_models import CompareAnswer, EncodeAnswer, IndexDetails, ItemAnswer, ReadyAnswer
from pipeline.search_api.problems import MEDIA_TYPE
from tests.pipeline.jobs.search_examples import picture
from tests.pipeline.search_api.served_pictures import INDEX, NUM_PICTURES, ServedPictures, served

__all__ = ["served"]


def test_health_ready_and_version(served: ServedPictures) -> None:
    assert served.running.get("/healthz").json() == {"status": "ok"}
    assert served.running.get("/version").json() == {"name": "bitquarry", "version": version("bitquarry")}
    ready = served.running.get("/readyz")
    assert ready.status == 200
    facts = ReadyAnswer.model_validate(ready.json())
    assert facts.ready
    assert facts.indexes[0].num_rows == NUM_PICTURES


def test_the_state_of_indexes(served: ServedPictures) -> None:
    every = served.running.get("/v1/indexes").json()["indexes"]
    one = served.running.get(f"/v1/indexes/{INDEX}").json()
    assert [each["index"] for each in every] == [INDEX]
    facts = IndexDetails.model_validate(one)
    assert (facts.alias, facts.num_bits, facts.coverage, facts.reasons) == ("live", 12, 1.0, [])
    assert facts.columns["label"] == "string"
    assert facts.aliases == {"live": facts.generation}
    assert facts.generations == [facts.generation]


def test_one_item(served: ServedPictures) -> None:
    reply = served.running.get(f"/v1/indexes/{INDEX}/items/{served.ids[7]}")
    item = ItemAnswer.model_validate(reply.json())
    assert (item.id, item.key, item.code) == (str(served.ids[7]), served.keys[7], served.codes.to_hex()[7])
    assert served.running.get(f"/v1/indexes/{INDEX}/items/12345").status == 404
    assert served.running.get(f"/v1/indexes/{INDEX}/items/minus").status == 400


def test_pictures_are_encoded_as_the_index_did(served: ServedPictures) -> None:
    images = [base64.b64encode(data).decode() for data in (picture(3), b"no picture", picture(4))]
    answer = served.running.post("/v1/encode", {"index": INDEX, "images_b64": images}).json()
    EncodeAnswer.model_validate(answer)
    expected = [served.codes.to_hex()[served.keys.index(f"{number}.png")] for number in (3, 4)]
    assert [answer["codes"][0]["hex"], answer["codes"][2]["hex"]] == expected
    assert base64.b64decode(answer["codes"][0]["base64"]).hex() == expected[0]
    assert "not a JPEG" in answer["codes"][1]["error"]


def test_compare_names_the_bits_that_differ(served: ServedPictures) -> None:
    asked = {"index": INDEX, "a": {"id": str(served.ids[0])}, "b": {"key": served.keys[1]}}
    answer = served.running.post("/v1/compare", asked).json()
    CompareAnswer.model_validate(answer)
    bits = served.codes.to_bits()
    differing = [bit for bit in range(12) if bits[0, bit] != bits[1, bit]]
    assert (answer["distance"], answer["differing_bits"]) == (len(differing), differing)


def test_an_unknown_path_index_or_method_is_a_problem(served: ServedPictures) -> None:
    for method_status, reply in (
        (404, served.running.get("/nowhere")),
        (404, served.running.get("/v1/indexes/other")),
        (404, served.running.post("/v1/indexes/other/query", {"code": "00"})),
        (405, served.running.get(served.path())),
    ):
        assert reply.status == method_status
        assert reply.headers["content-type"] == MEDIA_TYPE
        assert reply.json()["request_id"] == reply.headers["x-request-id"]


def test_a_safe_request_id_is_repeated_and_another_is_not(served: ServedPictures) -> None:
    assert served.running.get("/healthz", {"X-Request-Id": "job-7.a_B"}).headers["x-request-id"] == "job-7.a_B"
    for unsafe in ("a b", "x" * 65, '"}', ""):
        assert served.running.get("/healthz", {"X-Request-Id": unsafe}).headers["x-request-id"] != unsafe


def test_a_foreign_host_name_is_refused_without_keys(served: ServedPictures) -> None:
    assert served.running.get("/version", {"Host": "evil.example"}).status == 403
    assert served.running.get("/version", {"Host": "localhost:8000"}).status == 200


def test_queries_are_counted_by_outcome(served: ServedPictures) -> None:
    before = _count(served, "ok"), _count(served, "client_error")
    served.running.post(served.path(), {"code": served.codes.to_hex()[0]})
    served.running.post(served.path(), {"code": "no code"})
    assert (_count(served, "ok"), _count(served, "client_error")) == (before[0] + 1, before[1] + 1)


def _count(served: ServedPictures, outcome: str) -> float:
    lines = served.running.get("/metrics").body.decode().splitlines()
    wanted = f'bitquarry_queries_total{{index="{INDEX}",outcome="{outcome}"}} '
    return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))


def test_passes_are_observed(served: ServedPictures) -> None:
    before = _value(served, "bitquarry_pass_queries_sum")
    queries = [{"code": code} for code in served.codes.to_hex()[:5]]
    served.running.post(served.path("query/batch"), {"queries": queries})
    assert _value(served, "bitquarry_pass_queries_sum") == before + 5
    assert _value(served, f'bitquarry_waiting_queries{{index="{INDEX}"}}') == 0


def _value(served: ServedPictures, series: str) -> float:
    lines = served.running.get("/metrics").body.decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == series)
