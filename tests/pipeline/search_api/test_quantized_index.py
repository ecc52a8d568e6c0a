"""Quantized codes over HTTP: distances are real numbers, and what only binary codes can do is refused by name."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from operators.quantization.lookup_tables import LookupTables
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.search_api.answer_models import CompareAnswer, QueryAnswer
from tests.pipeline.jobs.search_examples import (
    PictureCatalog,
    decoded,
    make_picture_catalog,
    picture,
    quantizing_model,
)
from tests.pipeline.search_api.running_service import RunningService, running_service

NUM_PICTURES = 40
QUERY = "/v1/indexes/pictures/query"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> PictureCatalog:
    folder = str(tmp_path_factory.mktemp("catalog"))
    catalog = make_picture_catalog(folder, num_pictures=NUM_PICTURES, model=quantizing_model())
    build_index(BuildSettings(catalog=folder, collection="pictures", index="pictures", num_shards=2))
    return catalog


@pytest.fixture(scope="module")
def running(catalog: PictureCatalog) -> Iterator[RunningService]:
    with running_service(catalog.catalog, "pictures") as running:
        yield running


def _expected(catalog: PictureCatalog, number: int) -> list[tuple[float, int]]:
    """(distance, id) of every item, nearest first, by the lookup tables of a picture."""
    queries = catalog.model.encode_queries(decoded([picture(number)]))
    assert isinstance(queries, LookupTables)
    codes, ids, _ = catalog.rows()
    sums = [sum(queries.values[0, book, code[book]] for book in range(codes.packed.shape[1])) for code in codes.packed]
    return sorted(zip(map(float, sums), ids.tolist(), strict=True))


@pytest.mark.parametrize("ties", ["id", "all"])
def test_a_picture_finds_the_nearest_sums(catalog: PictureCatalog, running: RunningService, ties: str) -> None:
    reply = running.send(f"{QUERY}/image?k=5&ties={ties}", picture(3), "image/png")
    answer = QueryAnswer.model_validate(reply.json())
    found = [(hit.distance, int(hit.id)) for hit in answer.hits]
    assert len(found) == 5 if ties == "id" else len(found) >= 5
    expected = _expected(catalog, 3)[: len(found)]
    assert [item for _, item in found] == [item for _, item in expected]
    assert [distance for distance, _ in found] == pytest.approx([distance for distance, _ in expected])
    assert answer.ties.complete or ties == "id"
    assert answer.query_code is None


def test_items_are_compared_by_their_codes(catalog: PictureCatalog, running: RunningService) -> None:
    codes, ids, _ = catalog.rows()
    asked = {"index": "pictures", "a": {"id": str(ids[0])}, "b": {"code": codes.to_hex()[1]}}
    answer = CompareAnswer.model_validate(running.post("/v1/compare", asked).json())
    assert answer.distance == int((codes.to_bits()[0] != codes.to_bits()[1]).sum())


@pytest.mark.parametrize("path", ["/v1/encode", "/v1/compare", QUERY])
def test_what_only_binary_codes_can_do_is_refused(running: RunningService, path: str) -> None:
    image = base64.b64encode(picture(3)).decode()
    asked: dict[str, dict[str, object]] = {
        "/v1/encode": {"index": "pictures", "images_b64": [image]},
        "/v1/compare": {"index": "pictures", "a": {"image_b64": image}, "b": {"image_b64": image}},
        QUERY: {"image_b64": image, "radius": 3},
    }
    reply = running.post(path, asked[path])
    assert reply.status == 400
    assert "quantized" in reply.json()["detail"]


def test_clip_retrieval_gets_a_similarity_that_falls(running: RunningService) -> None:
    image = base64.b64encode(picture(3)).decode()
    results = running.post("/knn-service", {"image": image, "num_images": 10}).json()
    similarities = [result["similarity"] for result in results]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= similarity <= 1 for similarity in similarities)
