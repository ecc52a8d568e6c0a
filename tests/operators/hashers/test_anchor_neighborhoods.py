import numpy as np

from operators.hashers.anchor_neighborhoods import MIN_MEMBERS, anchor_neighborhoods


def _features(num_items: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((num_items, 6)).astype(np.float32)


def test_members_are_those_within_the_mean_distance_of_the_nearest() -> None:
    features, anchors = _features(200), np.array([3, 77, 120])
    members = anchor_neighborhoods(features, anchors, 40)
    for column, anchor in zip(members.T, anchors, strict=True):
        distances = np.linalg.norm(features.astype(np.float64) - features[anchor], axis=1)
        distances[anchor] = np.inf
        threshold = np.sort(distances)[:40].mean()
        np.testing.assert_array_equal(column, distances <= threshold)
        assert MIN_MEMBERS < column.sum() < 40


def test_an_anchor_is_no_neighbour_of_itself_but_its_copies_are() -> None:
    features = _features(60)
    features[10] = features[20] = features[5]
    members = anchor_neighborhoods(features, np.array([5]), 10)
    assert not members[5, 0]
    assert members[10, 0]
    assert members[20, 0]


def test_a_lonely_neighbour_is_not_all() -> None:
    """One item very near and all others far: the mean distance alone would leave few members."""
    features = (_features(50) / 100 + 100).astype(np.float32)
    features[0] = 0
    features[1:4] = 0.001
    members = anchor_neighborhoods(features, np.array([0]), 10)
    assert members[:, 0].sum() >= MIN_MEMBERS


def test_anchors_in_many_blocks_are_anchors_alone() -> None:
    features, anchors = _features(300), np.arange(0, 300, 3)
    members = anchor_neighborhoods(features, anchors, 30)
    for number in (0, 63, 64, 99):
        alone = anchor_neighborhoods(features, anchors[number : number + 1], 30)
        assert np.count_nonzero(members[:, number] != alone[:, 0]) <= 1  # a distance at the threshold, to rounding
