"""Queries by picture, id, key and code come to the same router answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from operators.decoders.image_decoder import DecodeLimits
from pipeline.errors import ModelMismatch, UsageError
from pipeline.routing.query_encoder import QueryEncoder
from pipeline.routing.search_session import SearchSession
from tests.pipeline.jobs.search_examples import decoded, fitted_model, picture
from tests.pipeline.routing.port_examples import make_router, open_ports
from tests.pipeline.shard_index.index_examples import Corpus, build_example, make_corpus

MODEL = fitted_model()
CODES = MODEL.encode_pixels(decoded([picture(number) for number in range(12)]))
CORPUS = Corpus(CODES, make_corpus(12).ids, [""] * 12)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[SearchSession]:
    manifest = build_example(tmp_path, CORPUS, fingerprint=MODEL.fingerprint)
    with ThreadPoolExecutor(2) as executor:
        router = make_router(manifest, open_ports(tmp_path, manifest, executor))
        yield SearchSession(router, lambda: QueryEncoder(MODEL, manifest, DecodeLimits()))


def test_an_indexed_picture_finds_itself(session: SearchSession) -> None:
    answer = session.query_image(picture(7), k=12)
    assert {neighbor.id for neighbor in answer.neighbors[0] if neighbor.distance == 0} >= {CORPUS.ids[7]}
    assert set(answer.timings_seconds) == {"encode", "search", "payload"}
    by_code = session.query_hex(CODES.to_hex()[7], k=12)
    assert by_code.neighbors == answer.neighbors


def test_an_item_is_not_its_own_neighbour_unless_asked(session: SearchSession) -> None:
    item = int(CORPUS.ids[3])
    everything = session.query_id(item, k=12, exclude_self=False).neighbors[0]
    others = session.query_id(item, k=12).neighbors[0]
    assert [neighbor.id for neighbor in others] == [neighbor.id for neighbor in everything if neighbor.id != item]
    assert len(others) == 11
    assert session.query_key(CORPUS.key(3), k=12).neighbors[0] == others
    assert session.query_key(CORPUS.key(3), k=12, exclude_self=False).neighbors[0] == everything


def test_codes_need_no_model(session: SearchSession) -> None:
    def no_model() -> QueryEncoder:
        raise ModelMismatch("index photos", "a", "b")

    without = SearchSession(session.router, no_model)
    assert len(without.query_codes(CODES, k=2).neighbors) == 12
    with pytest.raises(ModelMismatch):
        without.query_image(picture(1), k=1)


def test_the_model_is_loaded_once(session: SearchSession) -> None:
    assert session.encoder is session.encoder


def test_k_is_checked_before_anything_else(session: SearchSession) -> None:
    with pytest.raises(UsageError, match="k = 0"):
        session.query_image(b"", k=0)
    with pytest.raises(UsageError, match="k = 0"):
        session.query_id(-5, k=0)
    with pytest.raises(UsageError, match="k = 0"):
        session.query_key("nope", k=0)
    with pytest.raises(UsageError, match="k = 0"):
        session.query_codes(CODES, k=0)
