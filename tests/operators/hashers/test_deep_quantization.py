"""DeepQuan: its loss against plain loops and finite differences, its turns, and its ablations."""

from typing import Any

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting, ShapeMismatch
from operators.hashers.deep_quantization import DeepQuantization
from operators.hashers.deep_quantization_run import DeepQuantizationRun
from operators.training.neighbor_walks import walk_profiles

_SMALL: dict[str, Any] = {"num_bits": 16, "seed": 3, "num_epochs": 2, "pretraining": 0.5, "hidden": 32, "width": 6}


def _features(num_items: int = 400) -> np.ndarray:
    """Four curved clusters, in twelve dimensions."""
    rng = np.random.default_rng(0)
    angles = rng.random((num_items, 1)) * 2
    centres = rng.standard_normal((4, 12)) * 2
    bent = np.concatenate([np.cos(angles), np.sin(angles), rng.standard_normal((num_items, 10)) * 0.3], axis=1)
    return np.asarray(bent + centres[_clusters(num_items)], np.float32)


def _clusters(num_items: int = 400) -> np.ndarray:
    return np.arange(num_items) % 4


def _run(**given: Any) -> DeepQuantizationRun:
    run = DeepQuantization(**{**_SMALL, **given}).start(_features())
    assert isinstance(run, DeepQuantizationRun)
    return run


def _losses(run: DeepQuantizationRun, rows: np.ndarray) -> dict[str, torch.Tensor]:
    return run.losses(torch.from_numpy(rows), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("triplet", ["weighted", "unweighted"])
def test_losses_are_those_of_plain_loops(triplet: str) -> None:
    run = _run(triplet=triplet)
    run.run_epoch(0)
    run.run_epoch(1)
    rows = np.array([5, 17, 200, 311])
    seen = np.concatenate([rows, run.partners[rows]])
    centred = _features() - _features().mean(axis=0, dtype=np.float64)
    x = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    with torch.no_grad():
        h = run.module(torch.from_numpy(_features())).double().numpy()
        decoded = run.module.decode(torch.from_numpy(h).float()).double().numpy()
    state = run.state()
    words = np.asarray(state["words"], np.float64)
    profiles = walk_profiles(run.neighbors, num_steps=32, width=64, rng=np.random.default_rng(_SMALL["seed"]))
    manifold = quantization = total = weight = 0.0
    for item in seen:
        manifold += float(((x[item] - decoded[item]) ** 2).sum()) / len(seen)
        coded = np.concatenate([words[m, state["codes"][item, m]] for m in range(2)])
        quantization += float(((h[item] - coded) ** 2).sum()) / len(seen)
    for i in rows:
        j = run.partners[i]
        for k in seen:
            if k in (i, j):
                continue
            w = 1.0
            if triplet == "weighted":
                s_ij, s_ik = (min(1.0, max(0.0, float(profiles[i] @ profiles[other]))) for other in (j, k))
                w = s_ij * (1 - s_ik)
            total += w * max(0.0, 0.5 + float(((h[i] - h[j]) ** 2).sum() - ((h[i] - h[k]) ** 2).sum()))
            weight += w
    losses = {name: float(value.detach()) for name, value in _losses(run, rows).items()}
    expected = {"manifold": manifold, "triplets": total / weight, "quantization": quantization}
    settings = run.settings
    expected["loss"] = (
        2 * settings.manifold * manifold  # 16 bits, half of 32
        + settings.triplets * expected["triplets"]
        + settings.quantization * expected["quantization"]
    )
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert losses[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_the_gradient_agrees_with_finite_differences() -> None:
    run = _run(rotation=False)
    run.run_epoch(0)
    run.run_epoch(1)
    rows = np.arange(0, 64)
    run.module.zero_grad()
    _losses(run, rows)["loss"].backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad.clone() for parameter in run.module.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(run.module.parameters()))
    squared = float(sum(gradient.square().sum() for gradient in gradients))
    step = 1e-3 / squared**0.5

    def moved(by: float) -> float:
        with torch.no_grad():
            for parameter, gradient in zip(run.module.parameters(), gradients, strict=True):
                parameter.add_(gradient, alpha=by)
            loss = float(_losses(run, rows)["loss"])
            for parameter, gradient in zip(run.module.parameters(), gradients, strict=True):
                parameter.sub_(gradient, alpha=by)
        return loss

    assert (moved(step) - moved(-step)) / (2 * step) == pytest.approx(squared, rel=0.02)


def test_quantization_starts_after_pretraining() -> None:
    run = _run(num_epochs=3, pretraining=0.7)
    assert ["quantization" in run.run_epoch(epoch) for epoch in range(3)] == [False, False, True]


def test_codes_of_an_epoch_are_the_nearest_words_to_the_network_before_it() -> None:
    run = _run(rotation=False)
    run.run_epoch(0)
    with torch.no_grad():
        before = run.module(torch.from_numpy(_features())).double().numpy()
    run.run_epoch(1)
    words, codes = run.state()["words"], run.state()["codes"]
    for m in range(2):
        distances = np.square(before[:, None, 3 * m : 3 * m + 3] - np.asarray(words[m], np.float64)).sum(axis=2)
        chosen = distances[np.arange(len(codes)), codes[:, m]]
        np.testing.assert_allclose(chosen, distances.min(axis=1), atol=1e-5)


@pytest.mark.parametrize("triplet", ["weighted", "unweighted", "none"])
def test_ablations_have_their_losses_only(triplet: str) -> None:
    losses = _run(triplet=triplet).run_epoch(0)
    assert ("triplets" in losses) == (triplet != "none")


def test_weights_keep_clusters_together() -> None:
    """Clusters as long as they are far apart: without weights, the ends of one repel each other like strangers."""
    long = _features().copy()
    long[:, 2] += np.linspace(-4, 4, len(long), dtype=np.float32)
    spreads = {}
    for triplet in ("weighted", "unweighted"):
        lasting = {"num_epochs": 15, "pretraining": 0.8, "batch_size": 50}
        hasher = DeepQuantization(**{**_SMALL, **lasting, "triplet": triplet})
        hasher.fit(long)
        decoded = hasher.reconstruct(hasher.encode(long)).astype(np.float64)
        within = np.mean([decoded[_clusters() == cluster].var(axis=0).sum() for cluster in range(4)])
        spreads[triplet] = within / decoded.var(axis=0).sum()
    assert spreads["weighted"] < 0.9 * spreads["unweighted"]


@pytest.mark.parametrize(("num_bits", "factor"), [(8, 4), (16, 2), (32, 1), (64, 1)])
def test_the_manifold_term_weighs_more_in_short_codes(num_bits: int, factor: float) -> None:
    settings = DeepQuantization(num_bits=num_bits, seed=0, manifold=1.5).typed_settings
    assert settings.manifold_weight == pytest.approx(1.5 * factor)
    assert DeepQuantization(num_bits=num_bits, seed=0, manifold=0).typed_settings.manifold_weight == 0


def test_it_learns_from_a_sample() -> None:
    hasher = DeepQuantization(**_SMALL, num_training=300)
    run = hasher.start(_features())
    assert isinstance(run, DeepQuantizationRun)
    assert len(run.neighbors) == 300


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"num_bits": 12}, r"deepquan.num_bits = 12: expected a multiple of 8"),
        ({"num_bits": 64}, r"deepquan.width = 6: expected at least 8"),
        ({"pretraining": 1.5}, r"deepquan.pretraining = 1.5"),
        ({"triplet": "hard"}, r"deepquan.triplet = 'hard'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidSetting, match=expected):
        DeepQuantization(**{**_SMALL, **given})


@pytest.mark.parametrize(("num_items", "num_neighbors"), [(255, 15), (300, 300)])
def test_too_few_items_are_refused(num_items: int, num_neighbors: int) -> None:
    with pytest.raises(InvalidSetting, match=f"{num_items} items: expected at least"):
        DeepQuantization(**_SMALL, num_neighbors=num_neighbors).fit(_features(num_items))


def test_tensors_that_do_not_fit_are_refused() -> None:
    hasher = DeepQuantization(**_SMALL)
    hasher.fit(_features())
    tensors, settings = hasher.tensors(), hasher.settings()
    for wrong in (
        {name: tensor for name, tensor in tensors.items() if name != "words"},
        {**tensors, "words": np.asarray(tensors["words"])[:, :, :2]},
        {**tensors, "other": np.zeros(1, np.float32)},
        {**tensors, "network.encoder.0.weight": np.zeros((2, 2), np.float32)},
    ):
        with pytest.raises(ShapeMismatch):
            DeepQuantization.restore(settings, wrong)
