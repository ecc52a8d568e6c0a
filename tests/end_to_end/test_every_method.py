"""Every method from a folder to answers: train, encode through the encoder actors, index, search; against a bare loop.

Steps run in this process with one Ray for all methods; the commands around them have tests of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.decoders.image_decoder import decode_image
from operators.hashers.hasher_registry import method_names
from operators.hashers.quantizer import Quantizer
from operators.models.hashing_model import HashingModel
from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.shard_reader import read_code_shard
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.jobs.encode_collection import encode_collection
from pipeline.jobs.encode_target import EncodeRequest
from pipeline.jobs.search_index import open_search
from pipeline.jobs.train_model import train_model
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.settings import GateSettings, SearchSettings, Settings, TrainSettings
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.fit_request import FitRequest
from tests.faults.colour_corpus import write_corpus

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

NUM_PICTURES, NUM_BITS, K = 300, 16, 9
# What makes a method small enough to be trained on 300 pictures of 8 x 8 in a moment; all others as they are.
_SMALL: dict[str, dict[str, Any]] = {
    "agh": {"num_anchors": 30},
    "aphash": {"num_anchors": 30, "num_epochs": 10},
    "aphash-kernel": {"num_anchors": 30, "num_epochs": 10},
    "cibhash": {"num_epochs": 6, "network": "mlp", "batch_size": 32},
    "cibhash-neighbors": {"num_epochs": 6, "network": "mlp", "batch_size": 32},
    "deepquan": {"num_epochs": 3, "hidden": 32},
    "dgh": {"num_anchors": 30},
    "dvb": {"num_epochs": 5, "hidden": 16, "latent": 8},
    "dsh": {"num_epochs": 2, "network": "mlp"},
    "dsh-balanced": {"num_epochs": 2, "network": "mlp"},
    "orthohash": {"num_epochs": 2, "network": "mlp"},
    "spdaq": {"num_epochs": 2, "network": "mlp"},
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("every-method")
    write_corpus(folder / "pictures", num_pictures=NUM_PICTURES, num_broken=0)
    return folder / "pictures"


def _source(pictures: Path) -> SourceSettings:
    return SourceSettings(uri=str(pictures), task_items=100)


def _pixels(pictures: Path, key: str, side: int) -> np.ndarray:
    return decode_image((pictures / key).read_bytes(), side=side).pixels


def _expected(model: HashingModel, rows: list[tuple[int, str, bytes]], query: np.ndarray) -> list[tuple[float, int]]:
    """(distance, id) of the nearest rows by definition."""
    hasher = model.hasher
    if isinstance(hasher, Quantizer):
        table = hasher.lookup_tables(model.features.extract(query[None])).values[0]
        found = []
        for id_, _, code in rows:
            distance = np.float32(0)
            for codebook, word in enumerate(code):
                distance = distance + table[codebook, word]
            found.append((float(distance), id_))
        return sorted(found)
    own = int.from_bytes(model.encode_pixels(query[None]).packed[0].tobytes())
    return sorted((float((int.from_bytes(code) ^ own).bit_count()), id_) for id_, _, code in rows)


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("method", method_names())
def test_from_a_folder_to_answers(method: str, pictures: Path, tmp_path: Path) -> None:
    catalog = str(tmp_path / "catalog")
    request = FitRequest(
        method=method,
        num_bits=NUM_BITS,
        features="pixels",
        feature_settings={"side": 8},
        hasher_settings=_SMALL.get(method, {}),
        source=_source(pictures),
        settings=TrainSettings(gate=GateSettings(enabled=False)),  # of noise nothing much can be learned
    )
    train_model(catalog, "model", request)
    report = encode_collection(
        EncodeRequest(catalog=catalog, collection="photos", model="model", source=_source(pictures)),
        Settings(),
        lambda _: None,
    )
    assert (report.num_rows, report.num_rejects) == (NUM_PICTURES, 0)
    build_index(BuildSettings(catalog=catalog, index="photos", collection="photos", num_shards=3))

    _, model = ModelStore(catalog, open_store(catalog)).load("model")
    table = CodeTable.open(f"{catalog}/collections/photos")
    assert table.code_kind == model.code_kind
    shards = [read_code_shard(open_store(catalog), table.shard_uri(s), table.identity) for s in table.snapshot().shards]
    rows = [row for s in shards for row in zip(*(s[n].to_pylist() for n in ("id", "key", "code")), strict=True)]
    one_by_one = {key: model.encode_pixels(_pixels(pictures, key, 8)[None]) for _, key, _ in rows}
    assert {key: code for _, key, code in rows} == {key: c.packed[0].tobytes() for key, c in one_by_one.items()}

    id_, key, code = rows[7]
    expected = _expected(model, rows, _pixels(pictures, key, 8))
    for num_searchers in (0, 2):
        with open_search(catalog, "photos", settings=SearchSettings(num_searchers=num_searchers)) as session:
            by_picture = session.query_image((pictures / key).read_bytes(), k=K)
            assert [(hit.distance, hit.id) for hit in by_picture.neighbors[0]] == expected[:K]
            by_id = session.query_id(id_, k=K, exclude_self=False).neighbors
            by_code = session.query_codes(BinaryCodes(np.frombuffer(code, np.uint8)[None], NUM_BITS), k=K).neighbors
            assert by_id == by_code == session.query_hex(code.hex(), k=K).neighbors
