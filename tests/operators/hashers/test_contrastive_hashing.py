"""CIBHash and its variant: which items count as the same thing, and what the loss is made of."""

from typing import Any

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting
from operators.hashers.contrastive_hashing import ContrastiveHashing, NeighborContrastiveHashing
from operators.training.contrastive_losses import (
    bernoulli_divergence,
    normalised_temperature_loss,
    straight_through_codes,
)

_SMALL: dict[str, Any] = {"num_bits": 8, "seed": 0, "network": "mlp", "batch_size": 20, "num_epochs": 3}


def _clusters(num_items: int = 120) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.random.default_rng(9).random((4, 10)) * 3
    return np.asarray(centres[np.arange(num_items) % 4] + 0.3 * rng.random((num_items, 10)), np.float32)


def test_without_jitter_both_views_are_the_item() -> None:
    run: Any = ContrastiveHashing(**_SMALL, jitter=0.0, divergence=2.0).start(_clusters())
    run.module.eval()
    rows = torch.arange(20)
    with torch.no_grad():
        outputs = torch.sigmoid(run.module(torch.from_numpy(_clusters()[:20])))
        losses = run.losses(rows, torch.Generator().manual_seed(0))
    codes = straight_through_codes(outputs)
    contrast = float(normalised_temperature_loss(codes, codes, 0.3))
    assert float(losses["contrast"]) == pytest.approx(contrast, rel=1e-5)
    assert float(losses["divergence"]) == pytest.approx(float(bernoulli_divergence(outputs, outputs)), abs=1e-6)
    assert float(losses["loss"]) == pytest.approx(contrast + 2 * float(losses["divergence"]), rel=1e-5)


def test_partners_are_the_item_and_its_neighbours() -> None:
    features = _clusters()
    assert (ContrastiveHashing(**_SMALL).partners(features) == np.arange(120)[:, None]).all()
    partners = NeighborContrastiveHashing(**_SMALL, num_neighbors=4).partners(features)
    assert partners.shape == (120, 5)
    np.testing.assert_array_equal(partners[:, 0], np.arange(120))
    assert (partners % 4 == np.arange(120)[:, None] % 4).all()


def test_neighbours_bring_clusters_together() -> None:
    features = _clusters()
    hasher = NeighborContrastiveHashing(**{**_SMALL, "num_epochs": 30}, num_neighbors=10)
    hasher.fit(features)
    packed = hasher.encode(features).packed
    distances = np.bitwise_count(packed[:, None] ^ packed[None]).sum(axis=2)
    same = np.arange(120)[:, None] % 4 == np.arange(120) % 4
    assert distances[same].mean() < 0.5 * distances[~same].mean()


def test_it_learns_from_a_sample() -> None:
    run: Any = ContrastiveHashing(**_SMALL, num_training=50).start(_clusters())
    assert sum(len(batch) for batch in run.batches(0, np.random.default_rng(0))) <= 50


def test_more_neighbours_than_items_are_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"cibhash-neighbors.num_neighbors = 120: expected fewer than the 120"):
        NeighborContrastiveHashing(**_SMALL, num_neighbors=120).fit(_clusters())
