"""`/knn-service` and `/indices-list`, as the clients of clip-retrieval ask for them.

Source: https://github.com/rom1504/clip-retrieval, `clip_back.py` and `clip_client.py` (2.45).
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from pipeline.errors import UsageError
from pipeline.search_api.answer_json import JsonObject
from pipeline.search_api.answer_models import ClipResult
from pipeline.search_api.json_response import json_response
from pipeline.search_api.openapi_document import Responses, body_answers, json_body, problems
from pipeline.search_api.plain_route import PlainRoute
from pipeline.search_api.query_counting import QueryCounting
from pipeline.search_api.query_request import QueryRequest
from pipeline.search_api.request_body import RequestBodies
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.strict_json import check_request, read_request

# The first of these columns that an item has is its caption.
_CAPTIONS = ("caption", "text", "title", "label")
_NAMES: Responses = {200: {"content": {"application/json": {"schema": {"type": "array", "items": {"type": "string"}}}}}}


class KnnRequest(BaseModel):
    """`image`: a picture file in base64. `num_images` results come with url and caption, `num_result_ids` in all.
    Fields for safety filters, deduplication, aesthetics and languages change nothing here."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    image: str | None = None
    text: str | None = None
    image_url: str | None = None
    embedding_input: list[Any] | None = None
    modality: str = "image"
    indice_name: str | None = None
    num_images: Annotated[int, Field(ge=1)] = 40
    num_result_ids: Annotated[int, Field(ge=1)] | None = None


def clip_retrieval_router(service: SearchService, bodies: RequestBodies, counting: QueryCounting) -> APIRouter:
    """The routes over `service`."""
    router = APIRouter(tags=["clip-retrieval"], route_class=PlainRoute)

    @router.post("/knn-service", responses=body_answers(list[ClipResult]), openapi_extra=json_body(KnnRequest))
    async def knn_service(request: Request) -> Response:
        """The nearest items to a picture, as clip-retrieval answers. The content type does not matter: its client
        sends none."""
        async with bodies.body(request) as body:
            asked = read_request(body, KnnRequest)
            name = _index_of(service, asked)
            with counting.query(name) as counted:
                answer = await service.query(name, _query_of(asked))
                counted.answered(answer)
        return json_response(_results(answer, asked.num_images))

    @router.get("/indices-list", responses={**_NAMES, **problems()})
    async def indices_list() -> Response:
        """Names of the served indexes."""
        return json_response(list(service.indexes))

    return router


def _index_of(service: SearchService, asked: KnnRequest) -> str:
    if asked.indice_name is not None:
        return service.served(asked.indice_name).name
    if len(service.indexes) != 1:
        raise UsageError(f"indice_name: missing; known: {', '.join(service.indexes)}")
    return next(iter(service.indexes))


def _query_of(asked: KnnRequest) -> QueryRequest:
    """Raises `UsageError` for what only a model of texts could answer, and for addresses."""
    for field in ("text", "embedding_input"):
        if getattr(asked, field) is not None:
            raise UsageError(f"{field}: the codes of this index come from pictures only; send image (base64)")
    if asked.image_url is not None:
        raise UsageError("image_url: this service fetches nothing; send the picture itself as image (base64)")
    if asked.modality != "image":
        raise UsageError(f"modality = {asked.modality[:60]!r}: expected 'image'")
    if asked.image is None:
        raise UsageError("image: missing")
    k = max(asked.num_images, asked.num_result_ids or 0)
    return check_request({"image_b64": asked.image, "k": k}, QueryRequest)


def _results(answer: JsonObject, num_images: int) -> list[JsonObject]:
    """Those past `num_images` have no more than an id and a similarity, as in clip-retrieval."""
    results = []
    for hit in answer["hits"]:
        result: JsonObject = {"id": int(hit["id"]), "similarity": _similarity(hit["distance"], answer["num_bits"])}
        if hit["rank"] <= num_images:
            result["url"] = hit["uri"]
            captions = [hit["payload"][name] for name in _CAPTIONS if hit["payload"].get(name) is not None]
            if captions:
                result["caption"] = str(captions[0])
        results.append(result)
    return results


def _similarity(distance: int | float, num_bits: int) -> float:
    """From 1 for equal codes down to 0. Sums of lookup tables have no largest value."""
    return 1 - distance / num_bits if isinstance(distance, int) else 1 / (1 + distance)
