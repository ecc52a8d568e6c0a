"""Requests as clip-retrieval's own client sends them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.search_api.answer_models import ClipResult
from tests.pipeline.jobs.search_examples import picture
from tests.pipeline.search_api.running_service import Reply, ask
from tests.pipeline.search_api.served_pictures import INDEX, ServedPictures, served

__all__ = ["served"]


def _knn(served: ServedPictures, **asked: Any) -> Reply:
    """The body that `clip_client.ClipClient` of clip-retrieval 2.45 sends, which has no content type."""
    content = {
        "text": None,
        "image": None,
        "image_url": None,
        "embedding_input": None,
        "deduplicate": True,
        "use_safety_model": True,
        "use_violence_detector": True,
        "indice_name": INDEX,
        "use_mclip": False,
        "aesthetic_score": 9,
        "aesthetic_weight": 0.5,
        "modality": "image",
        "num_images": 5,
        "num_result_ids": 5,
        **asked,
    }
    return ask(served.running.url, "POST", "/knn-service", json.dumps(content).encode())


def test_the_client_s_request_is_answered(served: ServedPictures) -> None:
    reply = _knn(served, image=base64.b64encode(picture(8)).decode(), num_result_ids=7)
    results = [ClipResult.model_validate(each) for each in reply.json()]
    row = served.keys.index("8.png")
    expected = [(item, 1 - distance / 12) for distance, item in served.nearest(served.codes.packed[row])[:7]]
    assert [(result.id, result.similarity) for result in results] == expected
    assert results[0].url == "/pictures/8.png"
    assert str(results[0].caption).startswith("class ")
    assert "url" not in reply.json()[6]


def test_indices_are_listed(served: ServedPictures) -> None:
    assert served.running.get("/indices-list").json() == [INDEX]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"text": "a cat"}, "text"),
        ({"image_url": "http://127.0.0.1/secret"}, "image_url"),
        ({"embedding_input": [0.5]}, "embedding_input"),
        ({}, "image: missing"),
        ({"image": "%%%"}, "image"),
        ({"image": "", "modality": "text"}, "modality"),
        ({"image": "", "num_images": 0}, "num_images"),
    ],
)
def test_other_queries_are_refused_with_the_reason(served: ServedPictures, asked: dict[str, Any], field: str) -> None:
    reply = _knn(served, **asked)
    assert reply.status == 400
    assert field in reply.json()["detail"]


def test_an_unknown_index_is_named(served: ServedPictures) -> None:
    assert _knn(served, indice_name="laion5B", image="").status == 404
