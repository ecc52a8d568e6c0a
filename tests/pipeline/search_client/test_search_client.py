"""The client against the real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import ServiceRefused, UsageError
from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.service_limits import ServiceLimits
from pipeline.search_client.search_client import QueryBy, SearchClient, SearchTerms
from pipeline.search_client.service_answers import Hit, QueryAnswer
from tests.pipeline.jobs.search_examples import picture
from tests.pipeline.search_api.running_service import running_service
from tests.pipeline.search_api.served_pictures import INDEX, NUM_PICTURES, ServedPictures, served
from tests.pipeline.search_client.scripted_service import ScriptedAnswer, scripted_service

__all__ = ["served"]


@pytest.fixture
def client(served: ServedPictures) -> Iterator[SearchClient]:
    with SearchClient(served.running.url) as client:
        yield client


def _pairs(hits: tuple[Hit, ...]) -> list[tuple[int | float, int]]:
    return [(hit.distance, hit.id) for hit in hits]


def test_an_answer_has_everything_that_the_service_said(client: SearchClient, served: ServedPictures) -> None:
    answer = client.query_id(INDEX, int(served.ids[3]), SearchTerms(k=4, ties="all"))
    assert isinstance(answer, QueryAnswer)
    assert (answer.index, answer.num_bits, answer.k, answer.coverage, answer.degraded) == (INDEX, 12, 4, 1.0, False)
    assert (answer.rows_total, answer.failed_shards, answer.query_code) == (
        NUM_PICTURES,
        (),
        served.codes.to_hex()[3],
    )
    assert answer.ties.policy == "all"
    assert answer.timing_ms["total"] > 0
    places = {item: place for place, item in enumerate(served.ids.tolist())}
    for rank, hit in enumerate(answer.hits, start=1):
        assert hit.rank == rank
        assert hit.key == served.keys[places[hit.id]]
        assert hit.payload["label"].startswith("class ")


def test_every_way_to_ask_finds_what_the_obvious_way_finds(
    client: SearchClient, served: ServedPictures, tmp_path: Path
) -> None:
    row = served.keys.index("8.png")
    code, item = served.codes.packed[row], int(served.ids[row])
    file = tmp_path / "8.png"
    file.write_bytes(picture(8))
    terms = SearchTerms(k=6)
    expected, others = served.nearest(code)[:6], served.nearest(code, exclude_id=item)[:6]
    assert _pairs(client.query_image(INDEX, picture(8), terms).hits) == expected
    assert _pairs(client.query_image(INDEX, file, terms).hits) == expected
    assert _pairs(client.query_code(INDEX, code.tobytes(), terms).hits) == expected
    assert _pairs(client.query_code(INDEX, code.tobytes().hex(), terms).hits) == expected
    assert _pairs(client.query_id(INDEX, item, terms).hits) == others
    assert _pairs(client.query_key(INDEX, "8.png", terms).hits) == others
    with_self = SearchTerms(k=6, exclude_self=False)
    assert _pairs(client.query(INDEX, QueryBy(key="8.png"), with_self).hits) == expected


@pytest.mark.parametrize("by", ["image", "code"])
def test_terms_reach_the_service_either_way(client: SearchClient, served: ServedPictures, by: str) -> None:
    row = served.keys.index("8.png")
    given = QueryBy(image=picture(8)) if by == "image" else QueryBy(code=served.codes.packed[row].tobytes())
    terms = SearchTerms(k=50, radius=5, where=("label=class 2", "width>=8"), with_payload=False, allow_partial=True)
    answer = client.query(INDEX, given, terms)
    numbers = {item: int(key.split(".")[0]) for item, key in zip(served.ids.tolist(), served.keys, strict=True)}
    near = [pair for pair in served.nearest(served.codes.packed[row]) if pair[0] <= 5]
    assert _pairs(answer.hits) == [pair for pair in near if numbers[pair[1]] % 3 == 2]
    assert answer.hits
    assert answer.hits[0].key == ""


def test_a_batch_keeps_its_order_and_its_errors(client: SearchClient, served: ServedPictures) -> None:
    queries = [QueryBy(key="5.png"), QueryBy(key="none"), QueryBy(image=picture(6)), QueryBy(id=int(served.ids[0]))]
    answer = client.query_batch(INDEX, queries, SearchTerms(k=3))
    assert [result.status for result in answer.results] == [200, 404, 200, 200]
    assert "none" in answer.results[1].error
    row = served.keys.index("6.png")
    assert _pairs(answer.results[2].hits) == served.nearest(served.codes.packed[row])[:3]
    assert answer.results[2].query_code == served.codes.to_hex()[row]


def test_comparison(client: SearchClient, served: ServedPictures) -> None:
    comparison = client.compare(INDEX, QueryBy(id=int(served.ids[1])), QueryBy(key=served.keys[2]))
    bits = served.codes.to_bits()
    assert comparison.differing_bits == tuple(bit for bit in range(12) if bits[1, bit] != bits[2, bit])
    assert comparison.distance == len(comparison.differing_bits)
    assert [comparison.code_a, comparison.code_b] == served.codes.to_hex()[1:3]


def test_the_state_of_the_service(client: SearchClient) -> None:
    (status,) = client.indexes()
    assert (status.index, status.num_rows, status.reasons) == (INDEX, NUM_PICTURES, ())
    assert client.index(INDEX).columns["label"] == "string"
    assert client.ready().ready
    assert client.ready().indexes[0].generation == status.generation


def test_a_refusal_has_the_words_of_the_service(client: SearchClient) -> None:
    with pytest.raises(ServiceRefused) as caught:
        client.query_key("other", "a")
    assert (caught.value.status, caught.value.retry_after_seconds) == (404, 0)
    assert INDEX in caught.value.detail
    assert len(caught.value.request_id) == 16
    with pytest.raises(ServiceRefused, match="answered 400") as caught:
        client.query_code(INDEX, "00", SearchTerms(k=0))
    assert "k" in caught.value.detail


def test_a_body_above_the_limit_is_refused_in_words(served: ServedPictures) -> None:
    with (
        running_service(served.catalog.catalog, INDEX, limits=ServiceLimits(max_body_bytes=1000)) as small,
        SearchClient(small.url) as client,
    ):
        with pytest.raises(ServiceRefused) as caught:
            client.query_image(INDEX, bytes(4_000_000))
        assert caught.value.status == 413
        assert client.ready().ready


def test_a_key_opens_and_no_key_does_not(served: ServedPictures) -> None:
    keys, key = ApiKeys().with_new("reader", "read")
    with running_service(served.catalog.catalog, INDEX, keys=keys) as locked:
        with SearchClient(locked.url, key) as client:
            assert client.query_key(INDEX, "1.png").hits
            with pytest.raises(ServiceRefused, match="403"):
                client.delete(INDEX, keys=["1.png"])
        with SearchClient(locked.url) as client:
            assert client.ready().ready
            with pytest.raises(ServiceRefused, match="401"):
                client.query_key(INDEX, "1.png")


def test_changes_are_asked_for_as_the_service_reads_them() -> None:
    deleted = ScriptedAnswer(body=b'{"index":"a","generation":"g2","num_deleted":2,"not_found":["x"]}')
    moved = ScriptedAnswer(body=b'{"index":"a","alias":"live","generation":"g1","new":"field"}')
    with scripted_service([deleted, moved]) as service, SearchClient(service.url) as client:
        answer = client.delete("a", ids=[2**60], keys=["x"])
        assert (answer.num_deleted, answer.not_found) == (2, ("x",))
        assert client.set_alias("a", "live", "g1").generation == "g1"
        assert client.rollback_alias("a", "live").alias == "live"
    assert [body for _, _, _, body in service.requests] == [
        b'{"index": "a", "ids": ["1152921504606846976"], "keys": ["x"]}',
        b'{"index": "a", "alias": "live", "generation": "g1"}',
        b'{"index": "a", "alias": "live", "rollback": true}',
    ]


def test_an_answer_of_another_shape_is_refused() -> None:
    with scripted_service([ScriptedAnswer(body=b'{"hits": 5}')]) as service, SearchClient(service.url) as client:
        for ask in (lambda: client.query_key("a", "b"), client.indexes, client.ready):
            with pytest.raises(ServiceRefused, match="not as expected"):
                ask()


def test_one_thing_is_searched_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got none"):
        QueryBy()
    with pytest.raises(UsageError, match="got id and key"):
        QueryBy(id=0, key="")
    with pytest.raises(UsageError, match=r"missing\.png: No such file"):
        QueryBy(image=tmp_path / "missing.png").to_json()
