"""Features and models open wherever their backbone can be found, and are the same ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.features.backbone_folder import backbone_sha256
from operators.hashers.hasher_registry import create_hasher
from operators.models.hashing_model import HashingModel
from pipeline.errors import MissingExtra, UsageError
from pipeline.model_store.backbone_cache import default_backbone_dir
from pipeline.model_store.feature_opening import open_features, restore_model
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore
from tests.command_line import environment
from tests.pipeline.model_store.backbone_examples import upload
from tests.s3_server import S3Server
from tests.tiny_backbones import TINY_SIDE, save_tiny_resnet, save_tiny_vit


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vit(tmp_path_factory.mktemp("vit"))


def _pixels(num_items: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_items, TINY_SIDE, TINY_SIDE, 3), dtype=np.uint8)


def _model(place: str) -> HashingModel:
    features = open_features("backbone", {"folder": place})
    hasher = create_hasher("itq", num_bits=8, seed=0)
    hasher.fit(features.extract(_pixels()))
    return HashingModel(features, hasher)


def test_other_features_open_as_they_are() -> None:
    assert open_features("hog", {"side": 28}).settings()["cell_side"] == 7
    with pytest.raises(InvalidSetting, match=r"backbone.folder = missing"):
        open_features("backbone", {})
    with pytest.raises(InvalidSetting, match=r"backbone.folder = 3: expected a non-empty text"):
        open_features("backbone", {"folder": 3})


def test_a_path_is_kept_absolute(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(vit.parent)
    settings = open_features("backbone", {"folder": vit.name, "pooling": "cls"}).settings()
    assert settings["folder"] == str(vit)
    assert open_features("backbone", settings).settings() == settings


def test_a_uri_is_kept_and_the_copy_is_the_same_model(vit: Path, s3_server: S3Server) -> None:
    place = upload(vit, f"{s3_server.uri}/vit")
    remote, local = _model(f"{place}/"), _model(str(vit))
    assert remote.features.settings() == {**local.features.settings(), "folder": place}
    assert str(default_backbone_dir()) not in json.dumps(remote.description())
    assert remote.fingerprint == local.fingerprint
    np.testing.assert_array_equal(remote.features.extract(_pixels(3)), local.features.extract(_pixels(3)))


def test_weights_named_by_their_file_give_the_same_features(vit: Path) -> None:
    features = open_features("backbone", {"folder": str(vit / "model.safetensors")})
    assert features.settings()["folder"] == str(vit / "model.safetensors")
    assert features.settings()["sha256"] == backbone_sha256(str(vit))


def test_other_weights_make_another_fingerprint(tmp_path: Path) -> None:
    folder = save_tiny_resnet(tmp_path / "resnet")
    before = _model(str(folder))
    _change_a_weight(folder)
    after = HashingModel(open_features("backbone", {"folder": str(folder)}), before.hasher)
    assert after.fingerprint != before.fingerprint
    with pytest.raises(InvalidSetting, match=r"the weights the model was made with .sha256 \w{64}, not \w{64}"):
        restore_model(before.description(), before.tensors(), device="cpu")


def test_a_stored_model_whose_folder_moved_loads_once_it_is_linked(tmp_path: Path) -> None:
    folder = save_tiny_vit(tmp_path / "old")
    models = ModelStore(str(tmp_path / "catalog"), LocalStore())
    saved = models.save("vit", _model(str(folder)), {})
    moved = folder.rename(tmp_path / "new")
    with pytest.raises(UsageError, match=r"no such folder; .*if it was moved: ln -s NEW_FOLDER") as refused:
        models.load("vit")
    link = Path(str(refused.value).rpartition(" ")[2])
    link.parent.mkdir(parents=True)
    link.symlink_to(moved)
    loaded, model = models.load("vit")
    assert loaded == saved
    assert model.fingerprint == saved.fingerprint
    assert model.features.settings()["folder"] == str(folder)


@pytest.mark.parametrize("action", ["open", "load"])
def test_without_transformers_the_extra_is_named(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    models = ModelStore(str(tmp_path / "catalog"), LocalStore())
    models.save("vit", _model(str(vit)), {})
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'bitquarry\[backbones\]'"):
        models.load("vit") if action == "load" else _model(str(vit))


def test_the_command_without_transformers_says_one_line(vit: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    blocked = "import sys; sys.modules['transformers'] = None\nfrom pipeline.cli.app import main\nmain()"
    options = ("--name", "m", "--source", tmp_path / "pictures", "--catalog", tmp_path / "catalog")
    backbone = ("--features", "backbone", "--feature-set", f"folder={vit}")
    done = subprocess.run(
        [sys.executable, "-c", blocked, "train", *map(str, (*options, *backbone))],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "bitquarry: transformers is not installed; run: pip install 'bitquarry[backbones]'\n"


def _change_a_weight(folder: Path) -> None:
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
