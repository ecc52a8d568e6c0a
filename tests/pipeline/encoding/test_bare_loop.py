"""The comparator of the encode benchmark does all of the work: every picture once, with the model's codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from operators.decoders.image_decoder import decode_image
from operators.errors import UndecodableMedia
from operators.models.hashing_model import HashingModel
from pipeline.encoding.bare_loop import BareLoop, LoopShare
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore
from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings, make_photo_corpus
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.fit_request import FitRequest
from pipeline.training.model_fitting import fit_model


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_photo_corpus(tmp_path, PhotoCorpusSettings(num_photos=75, width=96, height=64))


@pytest.fixture
def model(tmp_path: Path, photos: Path) -> HashingModel:
    source = SourceSettings(uri=str(photos))
    fitted, lineage = fit_model(FitRequest(method="lsh", num_bits=16, features="pixels", source=source))
    ModelStore(str(tmp_path / "catalog"), LocalStore()).save("bench", fitted, lineage)
    return fitted


def _share(tmp_path: Path, photos: Path, process: int) -> LoopShare:
    return LoopShare(
        catalog=str(tmp_path / "catalog"),
        model="bench",
        folder=str(photos),
        out=str(tmp_path / "out"),
        finished=str(tmp_path / "finished.json"),
        process=process,
        num_processes=2,
        pictures_per_shard=30,
    )


def test_shares_encode_every_picture_once(tmp_path: Path, photos: Path, model: HashingModel) -> None:
    times = [BareLoop(_share(tmp_path, photos, process)).run() for process in (0, 1)]
    assert [each.num_pictures for each in times] == [38, 37]
    assert all(each.ended > each.started for each in times)
    found: dict[str, bytes] = {}
    shards = list((tmp_path / "out" / "codes").glob("*.parquet"))
    for shard in shards:
        table = pq.read_table(shard, columns=["key", "code"])
        found |= dict(zip(table["key"].to_pylist(), table["code"].to_pylist(), strict=True))
    assert len(shards) == 4
    assert len(found) == 75
    for key, code in found.items():
        pixels = decode_image((photos / key).read_bytes(), side=model.side).pixels
        assert code == model.encode_pixels(pixels[np.newaxis]).packed.tobytes()


def test_a_broken_picture_stops_the_loop(tmp_path: Path, photos: Path, model: HashingModel) -> None:
    (photos / "0000" / "0000000.jpg").write_bytes(b"<html>")
    with pytest.raises(UndecodableMedia):
        BareLoop(_share(tmp_path, photos, 0)).run()
