"""The promises of the model store hold on an S3 server, with its lost replies and races."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from operators.features.hog_features import HogFeatures
from operators.hashers.hasher_registry import create_hasher
from operators.models.hashing_model import HashingModel
from pipeline.errors import CorruptFile, StorageError, UnknownName
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.s3_store import S3Store
from tests.fault_proxy import Fault, FaultProxy
from tests.s3_server import S3Server


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)


def _model(seed: int = 0) -> HashingModel:
    features = HogFeatures(side=16)
    hasher = create_hasher("itq", num_bits=12, seed=seed)
    hasher.fit(features.extract(_pixels()))
    return HashingModel(features, hasher)


@pytest.fixture
def catalog(s3_server: S3Server) -> str:
    return f"{s3_server.uri}/catalog"


@pytest.fixture
def models(catalog: str) -> ModelStore:
    return ModelStore(catalog, S3Store())


def test_versions_are_saved_found_and_load_identically(models: ModelStore) -> None:
    with pytest.raises(UnknownName, match="no model named 'itq12'; there is none yet"):
        models.load("itq12")
    saved = [models.save("itq12", _model(seed), {"seed": seed}) for seed in (0, 1)]
    models.save("itq", _model(), {})
    assert models.names() == ("itq", "itq12")
    for seed, stored in enumerate(saved):
        loaded, model = models.load(stored.model_id)
        assert (loaded, loaded.version) == (stored, seed + 1)
        expected = _model(seed).encode_pixels(_pixels())
        np.testing.assert_array_equal(model.encode_pixels(_pixels()).packed, expected.packed)
    assert models.load("itq12")[0] == saved[1]


@dataclass(frozen=True)
class _TogetherStore(S3Store):
    """Holds every saver back after it looked for the next free number, until all of them have."""

    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(3, timeout=30))
    arrived: threading.local = field(default_factory=threading.local)

    def create(self, uri: str, data: bytes) -> None:
        if not hasattr(self.arrived, "once"):
            self.arrived.once = True
            self.barrier.wait()
        super().create(uri, data)


def test_savers_at_the_same_time_never_share_a_version(catalog: str) -> None:
    models = ModelStore(catalog, _TogetherStore())
    with ThreadPoolExecutor(3) as pool:
        saved = list(pool.map(lambda saver: models.save("itq12", _model(), {"saver": saver}), range(3)))
    assert len({one.version for one in saved}) == 3
    for one in saved:
        assert models.load(one.model_id)[0] == one


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("action", ["lost_reply", "reset", "status"])
def test_a_save_whose_reply_is_lost_is_one_version(
    catalog: str, fault_proxy: FaultProxy, file: str, action: str
) -> None:
    models = ModelStore(catalog, S3Store())
    fault_proxy.plan([Fault(action=action, method="PUT", target=f".*{file}.*")])  # type: ignore[arg-type]
    saved = models.save("itq12", _model(), {})
    assert saved.version == 1
    assert models.load("itq12")[0] == saved


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
def test_a_flipped_byte_is_refused_by_name(models: ModelStore, catalog: str, file: str) -> None:
    models.save("itq12", _model(), {})
    uri = f"{catalog}/models/itq12/00001/{file}"
    data = bytearray(S3Store().read(uri))
    data[30] ^= 0x40
    S3Store().write(uri, bytes(data))
    with pytest.raises(CorruptFile, match=f"{uri} is corrupt"):
        models.load("itq12")


def test_a_listing_that_fails_is_no_unknown_name(catalog: str, fault_proxy: FaultProxy) -> None:
    models = ModelStore(catalog, S3Store())
    models.save("itq12", _model(), {})
    denied = Fault(action="status", method="GET", target=".*list-type.*", times=99, status=403, code="AccessDenied")
    fault_proxy.plan([denied])
    with pytest.raises(StorageError, match=r"ListObjectsV2 .* AccessDenied"):
        models.load("itq12")
