"""Pretrained networks through every command: from a folder, and from an S3 prefix with all else on S3."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from operators.decoders.image_decoder import decode_image
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from tests import command_line
from tests.end_to_end.whole_run import WholeRun, brute_force, found_by
from tests.faults.colour_corpus import write_corpus
from tests.s3_server import S3Server
from tests.tiny_backbones import TINY_SIDE, save_tiny_resnet, save_tiny_vit

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

QUERY_KEY = "class-1/00011.png"
NUM_BITS = 16
METHOD = ("--method", "itq", "--num-bits", NUM_BITS)


class BackboneRun:
    """A corpus and a catalog; train, encode and index with the backbone at `place`."""

    def __init__(self, folder: Path, catalog: str, place: str) -> None:
        self.pictures = folder / "pictures"
        self.place = place
        self.keys = sorted(write_corpus(self.pictures, num_pictures=24, num_broken=0))
        config = folder / "settings.yaml"
        config.write_text("source: {task_items: 8}\nencode: {batch_items: 3}\nray: {num_cpus: 2}\n")
        self.run = WholeRun(catalog, config)
        self.trained = self.train()
        self.encoded = self.encode()
        self.run.json("index", "build", "--collection", "photos", "--name", "photos", "--num-shards", 2)

    def train(self) -> dict[str, object]:
        backbone = ("--features", "backbone", "--feature-set", f"folder={self.place}")
        trained: dict[str, object] = self.run.json(
            "train", "--name", "m", "--source", self.pictures, *METHOD, *backbone
        )
        return trained

    def encode(self) -> dict[str, object]:
        options = ("--collection", "photos", "--model", "m@1", "--source", self.pictures)
        encoded: dict[str, object] = self.run.json("encode", *options)
        return encoded

    def complaint(self, command: str, *options: str | Path, exit_code: int) -> str:
        given = ("--catalog", self.run.catalog, "--config", self.run.config)
        return command_line.complaint(command, *given, *options, exit_code=exit_code)

    def check_codes(self) -> None:
        """The encoders' codes, in batches of 3, are those of all pictures in one batch, and one by one."""
        stored, model = ModelStore(self.run.catalog, open_store(self.run.catalog)).load("m")
        assert stored.fingerprint == self.trained["fingerprint"]
        assert model.features.settings()["folder"] == self.place
        pixels = np.stack(
            [decode_image((self.pictures / key).read_bytes(), side=TINY_SIDE).pixels for key in self.keys]
        )
        codes = model.encode_pixels(pixels).packed
        one_by_one = np.concatenate([model.encode_pixels(picture[None]).packed for picture in pixels])
        np.testing.assert_array_equal(one_by_one, codes)
        encoded = {key: code for _, key, code in self.run.rows("photos")}
        assert encoded == {key: code.tobytes() for key, code in zip(self.keys, codes, strict=True)}
        assert len(set(encoded.values())) > 4, "codes do not tell pictures apart"

    def check_query(self) -> None:
        rows = self.run.rows("photos")
        code = next(code for _, key, code in rows if key == QUERY_KEY)
        hits = self.run.hits("--image", self.pictures / QUERY_KEY, "--k", 9)
        assert found_by(hits) == brute_force(rows, code, k=9)


@pytest.fixture(scope="module")
def vit_run(tmp_path_factory: pytest.TempPathFactory) -> BackboneRun:
    folder = tmp_path_factory.mktemp("vit-run")
    return BackboneRun(folder, str(folder / "catalog"), str(save_tiny_vit(folder / "vit")))


def test_a_folder_is_trained_encoded_indexed_and_queried(vit_run: BackboneRun) -> None:
    assert (vit_run.encoded["num_rows"], vit_run.encoded["num_rejects"]) == (24, 0)
    assert vit_run.encoded["device"] == "cpu"
    vit_run.check_codes()
    vit_run.check_query()


def test_a_gpu_that_is_not_there_is_refused(vit_run: BackboneRun) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    options = ("--collection", "other", "--model", "m", "--source", vit_run.pictures, "--device", "cuda")
    said = vit_run.complaint("encode", *options, exit_code=1)
    assert "encode.device = cuda, but the cluster has no GPU; add one, or set encode.device = cpu" in said


def test_features_without_gpu_code_refuse_cuda(vit_run: BackboneRun) -> None:
    vit_run.run.json("train", "--name", "hog", "--source", vit_run.pictures, *METHOD, "--features", "hog")
    options = ("--collection", "hog", "--model", "hog", "--source", vit_run.pictures, "--device", "cuda")
    said = vit_run.complaint("encode", *options, exit_code=2)
    assert "encode.device = cuda, but this model's features run on the CPU only" in said


def test_changed_weights_are_refused_by_digest_and_by_fingerprint(vit_run: BackboneRun, tmp_path: Path) -> None:
    """Last in this file of those that use `vit_run`: it changes the weights, and puts them back."""
    weights = Path(vit_run.place) / "model.safetensors"
    shutil.copy(weights, tmp_path / "kept")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    encode = ("--collection", "photos", "--source", vit_run.pictures)
    try:
        said = vit_run.complaint("query", "--index", "photos", "--image", vit_run.pictures / QUERY_KEY, exit_code=2)
        assert "expected the weights the model was made with (sha256 " in said
        retrained = vit_run.train()["fingerprint"]
        said = vit_run.complaint("encode", *encode, "--model", "m", exit_code=4)
        assert f"holds codes of model {vit_run.trained['fingerprint']}, the model given is {retrained}" in said
    finally:
        shutil.copy(tmp_path / "kept", weights)


def test_all_on_s3(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are copied once into the user's cache; the commands after training answer without their place."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    resnet, place = save_tiny_resnet(tmp_path / "resnet"), f"{s3_server.uri}/backbones/resnet"
    store = open_store(place)
    for path in resnet.iterdir():
        store.write(join_uri(place, path.name), path.read_bytes())
    run = BackboneRun(tmp_path, f"{s3_server.uri}/catalog", place)
    run.check_codes()
    for info in list(store.list(place)):
        store.delete(info.uri)
    run.check_query()
    copies = [path for path in (tmp_path / "home/.cache/bitquarry/backbones").iterdir() if path.is_dir()]
    assert len(copies) == 1
