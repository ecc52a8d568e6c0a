"""APHash and its variant: what is learned, what the hash function is fitted to, what is refused."""

import itertools
from typing import Any

import numpy as np
import pytest

from operators.errors import InvalidSetting, TrainingDiverged
from operators.hashers.anchor_probability_hashing import AnchorProbabilityHashing, ridge_projection
from operators.hashers.kernel_anchor_probability_hashing import KernelAnchorProbabilityHashing

_METHODS = {"aphash": AnchorProbabilityHashing, "aphash-kernel": KernelAnchorProbabilityHashing}
_CLUSTERS, _PER_CLUSTER = 4, 80


def _clusters(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(_CLUSTERS), _PER_CLUSTER)
    centres = np.random.default_rng(9).standard_normal((_CLUSTERS, 10)) * 4
    return (centres[owners] + rng.standard_normal((len(owners), 10))).astype(np.float32), owners


def _hasher(method: str, **chosen: Any) -> AnchorProbabilityHashing | KernelAnchorProbabilityHashing:
    given = {"num_bits": 12, "seed": 0, "num_anchors": 40, "neighbor_share": 0.25, **chosen}
    hasher = _METHODS[method](**given)
    assert isinstance(hasher, AnchorProbabilityHashing | KernelAnchorProbabilityHashing)
    return hasher


@pytest.mark.parametrize("method", _METHODS)
def test_clusters_get_codes_of_their_own(method: str) -> None:
    features, owners = _clusters()
    hasher = _hasher(method)
    hasher.fit(features)
    learned = hasher.training_codes
    assert learned is not None
    new_features, new_owners = _clusters(seed=1)
    queries = hasher.encode(new_features)
    distances = np.bitwise_count(queries.packed[:, None] ^ learned.packed[None]).sum(axis=2)
    same = new_owners[:, None] == owners
    # Queries are on the side of the anchors, the database has the learned codes: they still meet.
    assert distances[~same].mean() > 3
    assert distances[same].mean() < 0.35 * distances[~same].mean()


def test_the_objective_falls() -> None:
    features, _ = _clusters()
    run = _hasher("aphash", num_epochs=60).start(features)
    losses = [run.run_epoch(epoch)["loss"] for epoch in range(60)]
    assert losses[-1] < 0.6 * losses[0]
    rises = sum(later > earlier * (1 + 1e-3) for earlier, later in itertools.pairwise(losses))
    assert rises <= 6


def test_bits_are_balanced_where_clusters_are() -> None:
    features, _ = _clusters()
    hasher = _hasher("aphash")
    hasher.fit(features)
    assert hasher.training_codes is not None
    share = hasher.training_codes.to_bits().mean(axis=0)
    assert ((share > 0.1) & (share < 0.9)).all()


def test_the_projection_is_the_ridge_optimum() -> None:
    rng = np.random.default_rng(0)
    rows, signs = rng.standard_normal((30, 6)), rng.choice(np.array([-1, 1], np.int8), (30, 3))
    matrix = ridge_projection(rows, signs, 0.2)
    alpha = 0.2 * np.trace(rows.T @ rows) / 6
    gradient = 2 * rows.T @ (rows @ matrix - signs) + 2 * alpha * matrix
    np.testing.assert_allclose(gradient, 0, atol=1e-9)


def test_a_new_item_gets_the_sign_of_its_centred_projection() -> None:
    features, _ = _clusters()
    hasher = _hasher("aphash")
    hasher.fit(features)
    queries, tensors = _clusters(seed=1)[0], hasher.tensors()
    mean, projection = (np.asarray(tensors[name], np.float64) for name in ("mean", "projection"))
    np.testing.assert_allclose(mean, features.mean(axis=0, dtype=np.float64), rtol=1e-5)
    values = (queries.astype(np.float64) - mean) @ projection
    np.testing.assert_array_equal(hasher.encode(queries).to_bits(), values >= 0)


@pytest.mark.parametrize("method", _METHODS)
def test_what_cannot_be_learned_from_is_refused(method: str) -> None:
    features, _ = _clusters()
    with pytest.raises(InvalidSetting, match=rf"{method}.num_anchors = 1000: expected at most 320"):
        _hasher(method, num_anchors=1000).fit(features)
    with pytest.raises(InvalidSetting, match=rf"{method}.neighbor_share"):
        _hasher(method, neighbor_share=1.0).fit(features)
    with pytest.raises(InvalidSetting, match="all the same"):
        _hasher(method).fit(np.ones((320, 10), np.float32))


def test_a_step_without_end_is_noticed() -> None:
    features, _ = _clusters()
    run = _hasher("aphash", binary_weight=1e9).start(features)
    state = run.state()
    state["codes.items"] = np.full_like(state["codes.items"], np.nan)
    run.load_state(state)
    with pytest.raises(TrainingDiverged):
        run.run_epoch(0)
