"""Running a pretrained model gives what transformers gives, and refuses what would be guessed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting
from operators.features.backbone_network import BackboneNetwork
from tests.tiny_backbones import TINY_SIDE, save_tiny_convnext, save_tiny_resnet, save_tiny_vit


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_vit(tmp_path_factory.mktemp("vit")))


@pytest.fixture(scope="module")
def vit_without_pooler(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_vit(tmp_path_factory.mktemp("headless"), with_pooler=False))


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, TINY_SIDE, TINY_SIDE, 3), dtype=np.uint8)


def _states(folder: str, pixels: np.ndarray) -> object:
    from transformers import AutoModel

    values = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    values = (values - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        return AutoModel.from_pretrained(folder)(pixel_values=values.float())


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
def test_vit_equals_transformers(vit: str, pixels: np.ndarray, pooling: str) -> None:
    output = _states(vit, pixels)
    states = output.last_hidden_state  # type: ignore[attr-defined]
    expected = {
        "pooler": output.pooler_output,  # type: ignore[attr-defined]
        "cls": states[:, 0],
        "mean": states.mean(1),
    }[pooling]
    network = BackboneNetwork(vit, pooling=pooling, device="cpu")
    np.testing.assert_allclose(network.forward(pixels), expected.numpy(), atol=1e-5)
    assert network.default_side == TINY_SIDE
    assert network.num_dims(TINY_SIDE) == 16


@pytest.mark.parametrize("save", [save_tiny_resnet, save_tiny_convnext])
@pytest.mark.parametrize("pooling", ["pooler", "mean"])
def test_convolutional_networks_equal_transformers(
    save: object, pooling: str, pixels: np.ndarray, tmp_path: Path
) -> None:
    folder = str(save(tmp_path))  # type: ignore[operator]
    output = _states(folder, pixels)
    pooled = output.pooler_output.flatten(1)  # type: ignore[attr-defined]
    expected = pooled if pooling == "pooler" else output.last_hidden_state.mean((2, 3))  # type: ignore[attr-defined]
    network = BackboneNetwork(folder, pooling=pooling, device="cpu")
    np.testing.assert_allclose(network.forward(pixels), expected.numpy(), atol=1e-5)


def test_maps_have_no_first_token(tmp_path: Path) -> None:
    network = BackboneNetwork(str(save_tiny_resnet(tmp_path)), pooling="cls", device="cpu")
    with pytest.raises(InvalidSetting, match=r"backbone.pooling = cls: expected pooler or mean"):
        network.num_dims(TINY_SIDE)


def test_weights_that_are_missing_are_never_drawn_at_random(vit_without_pooler: str) -> None:
    with pytest.raises(InvalidSetting, match=r"backbone.pooling = pooler: expected cls or mean: .* no pooler weights"):
        BackboneNetwork(vit_without_pooler, pooling="pooler", device="cpu")
    assert BackboneNetwork(vit_without_pooler, pooling="cls", device="cpu").num_dims(TINY_SIDE) == 16


def test_missing_layer_is_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = save_tiny_vit(tmp_path) / "model.safetensors"
    tensors = load_file(weights)
    del tensors["layernorm.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(InvalidSetting, match=r"weights for every layer; missing: layernorm.weight"):
        BackboneNetwork(str(tmp_path), pooling="cls", device="cpu")


def test_damaged_weights_and_other_sides(vit: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"backbone.side = 48"):
        BackboneNetwork(vit, pooling="cls", device="cpu").num_dims(48)
    (save_tiny_vit(tmp_path) / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(InvalidSetting, match="a model that loads"):
        BackboneNetwork(str(tmp_path), pooling="cls", device="cpu")


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cuda:999"])
def test_unknown_or_absent_device(vit: str, device: str) -> None:
    with pytest.raises(InvalidSetting, match=f"backbone.device = '{device}'"):
        BackboneNetwork(vit, pooling="cls", device=device)


def test_without_transformers_the_extra_is_named(vit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InvalidSetting, match=r"pip install 'bitquarry\[backbones\]'"):
        BackboneNetwork(vit, pooling="cls", device="cpu")


def test_threads_change_no_bit_and_stay_as_they_were(tmp_path: Path) -> None:
    """The convolutions of this network split their sums by threads, unless they are held to one."""
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(embedding_size=64, hidden_sizes=[256, 512], depths=[1, 1])
    ResNetModel(config).save_pretrained(save_tiny_resnet(tmp_path))
    network = BackboneNetwork(str(tmp_path), pooling="pooler", device="cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    kept = torch.get_num_threads()
    answers = []
    try:
        for num_threads in (1, 2):
            torch.set_num_threads(num_threads)
            answers.append(network.forward(pixels))
            assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(kept)
    np.testing.assert_array_equal(answers[0], answers[1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_agrees_with_cpu(vit: str, pixels: np.ndarray) -> None:
    on_gpu = BackboneNetwork(vit, pooling="pooler", device="cuda").forward(pixels)
    np.testing.assert_allclose(on_gpu, BackboneNetwork(vit, pooling="pooler", device="cpu").forward(pixels), atol=1e-3)
