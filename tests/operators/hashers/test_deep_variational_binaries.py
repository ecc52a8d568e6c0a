"""DVB: its loss against the terms as they are written, its anchors, its ablations, both ways of encoding."""

from typing import Any

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting
from operators.hashers.deep_variational_binaries import DeepVariationalBinaries, nearest_anchors
from operators.training.neighbor_walks import walk_profiles

_SMALL: dict[str, Any] = {
    "num_bits": 8, "seed": 3, "num_epochs": 2, "batch_size": 50, "hidden": 16, "latent": 6, "num_centres": 5,
    "num_neighbors": 7,
}  # fmt: skip
_NUM_CLUSTERS = 4


def _features(num_items: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.random.default_rng(9).random((_NUM_CLUSTERS, 12)) * 3
    return np.asarray(centres[np.arange(num_items) % _NUM_CLUSTERS] + rng.random((num_items, 12)), np.float32)


def _hasher(**given: Any) -> DeepVariationalBinaries:
    return DeepVariationalBinaries(**{**_SMALL, **given})


def _losses(**given: Any) -> dict[str, float]:
    run: Any = _hasher(**given).start(_features())
    run.module.train()
    found = run.losses(torch.arange(50), torch.Generator().manual_seed(0))
    return {name: float(value.detach()) for name, value in found.items()}


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    weights = {"centre": 2.0, "quantization": 0.5, "decorrelation": 0.7, "manifold_weight": 3.0}
    losses = _losses(**weights)
    expected = losses["divergence"] + 2 * losses["centre"] + 0.5 * losses["quantization"]
    expected += 0.7 * losses["decorrelation"] + 3 * losses["manifold"]
    assert losses["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("ablation", "missing"),
    [
        ({"centres": False}, "centre"),
        ({"decorrelation": 0.0}, "decorrelation"),
        ({"manifold": "none"}, "manifold"),
    ],
)
def test_an_ablation_leaves_one_term_out(ablation: dict[str, Any], missing: str) -> None:
    whole, ablated = _losses(), _losses(**ablation)
    weights = {"centre": 1.0, "decorrelation": 1.7, "manifold": 1.0}
    assert ablated["loss"] == pytest.approx(whole["loss"] - weights[missing] * whole[missing], rel=1e-3, abs=1e-4)


def test_the_printed_sign_drives_neighbours_apart() -> None:
    corrected, printed = _losses(), _losses(manifold="printed")
    assert printed["loss"] == pytest.approx(corrected["loss"] - 2 * corrected["manifold"], rel=1e-4)


def test_links_of_the_manifold_loss_are_where_walks_meet() -> None:
    """Against loops over all pairs of the batch."""
    run: Any = _hasher().start(_features())
    run.module.train()
    features = _features() / np.linalg.norm(_features(), axis=1, keepdims=True)
    squared = np.square(features[:, None] - features[None]).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    neighbors = np.argsort(squared, axis=1, kind="stable")[:, :7]
    profiles = walk_profiles(neighbors, num_steps=10, width=256, rng=np.random.default_rng(3)).astype(np.float64)
    captured: list[torch.Tensor] = []
    generate = run.module.generate

    def capture(*given: torch.Tensor) -> torch.Tensor:
        captured.append(generate(*given))
        return captured[-1]

    run.module.generate = capture
    loss = float(run.losses(torch.arange(50), torch.Generator().manual_seed(0))["manifold"].detach())
    codes = captured[0].detach().double().numpy()
    pairs = [(i, j) for i in range(50) for j in range(50) if i != j]
    meet = {(i, j): float(profiles[i] @ profiles[j]) for i, j in pairs}
    near = sum(max(0.0, value) for value in meet.values())
    scale = 0.8 * near / sum(max(0.0, -value) for value in meet.values())
    total = weight = 0.0
    for i, j in pairs:
        link = meet[i, j] * (1 if meet[i, j] > 0 else scale)
        total += 0.5 * link * float(np.square(codes[i] - codes[j]).sum())
        weight += abs(link)
    assert loss == pytest.approx(total / (weight * 8), rel=1e-3)


def test_anchors_are_centres_of_few_components() -> None:
    settings = _hasher().typed_settings
    anchors = nearest_anchors(_features(), settings)
    assert anchors.shape == (200, 6)
    assert len(np.unique(anchors, axis=0)) <= 5
    owners = np.arange(200) % _NUM_CLUSTERS
    for cluster in range(_NUM_CLUSTERS):
        own = anchors[owners == cluster]
        others = anchors[owners != cluster]
        nearest_other = np.linalg.norm(own[:, None] - others[None], axis=2).min()
        assert np.linalg.norm(own - own.mean(axis=0), axis=1).max() < nearest_other


@pytest.mark.parametrize("encoding", ["sampled", "mean"])
def test_clusters_get_codes_of_their_own(encoding: str) -> None:
    hasher = _hasher(num_epochs=40, encoding=encoding)
    hasher.fit(_features())
    packed = hasher.encode(_features()).packed
    owners = np.arange(200) % _NUM_CLUSTERS
    distances = np.bitwise_count(packed[:, None] ^ packed[None]).sum(axis=2)
    same = owners[:, None] == owners
    assert distances[same].mean() < 0.6 * distances[~same].mean()


def test_it_learns_from_a_sample() -> None:
    run: Any = _hasher(num_training=60).start(_features())
    assert sum(len(batch) for batch in run.batches(0, np.random.default_rng(0))) <= 60


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"num_centres": 300}, r"dvb.num_centres = 300: expected at most 200"),
        ({"num_neighbors": 200}, r"dvb.num_neighbors = 200: expected fewer than 200"),
    ],
)
def test_more_than_there_are_items_is_refused(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidSetting, match=expected):
        _hasher(**given).fit(_features())
