"""Views and small changes of pictures: what they show stays, what leaves the picture is gone."""

import pytest
import torch

from operators.errors import InvalidSetting
from operators.networks.picture_augmentation import shifted_and_flipped
from operators.networks.picture_views import ViewSettings, random_views


def test_pictures_move_and_mirror() -> None:
    rows = torch.zeros(200, 8 * 8)
    rows[:, 3 * 8 + 3] = 1
    moved = shifted_and_flipped(rows, max_shift=2, generator=torch.Generator().manual_seed(0)).reshape(200, 8, 8)
    places = {(int(y), int(x)) for _, y, x in moved.nonzero()}
    assert places == {(y, x) for y in range(1, 6) for x in range(1, 7)}  # column 3 mirrored is 4
    still = shifted_and_flipped(rows, max_shift=0, generator=torch.Generator().manual_seed(0)).reshape(200, 8, 8)
    assert {(int(y), int(x)) for _, y, x in still.nonzero()} == {(3, 3), (3, 4)}


def test_what_leaves_the_picture_is_gone() -> None:
    rows = torch.ones(50, 4 * 4)
    moved = shifted_and_flipped(rows, max_shift=3, generator=torch.Generator().manual_seed(1))
    assert float(moved.sum(dim=1).min()) < 16
    assert set(moved.flatten().tolist()) == {0.0, 1.0}


def test_without_room_a_view_is_the_picture_or_its_mirror_image() -> None:
    rows = torch.rand(40, 6 * 6 * 3, generator=torch.Generator().manual_seed(0))
    views = random_views(rows, ViewSettings(min_area=1.0, jitter=0.0), torch.Generator().manual_seed(1))
    pictures, seen = rows.reshape(40, 6, 6, 3), views.reshape(40, 6, 6, 3)
    as_is = torch.isclose(seen, pictures, atol=1e-5).flatten(1).all(dim=1)
    mirrored = torch.isclose(seen, pictures.flip(2), atol=1e-5).flatten(1).all(dim=1)
    assert bool((as_is | mirrored).all())
    assert 0.2 < float(mirrored.float().mean()) < 0.8


def test_views_differ_follow_the_seed_and_stay_pictures() -> None:
    rows = torch.rand(8, 28 * 28, generator=torch.Generator().manual_seed(0))
    views = [random_views(rows, ViewSettings(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])
    assert views[0].shape == rows.shape
    assert float(views[0].min()) >= 0
    assert float(views[0].max()) <= 1


def test_crops_never_leave_the_picture() -> None:
    """Outside a picture there is black; a white picture must stay white."""
    views = random_views(
        torch.ones(50, 20 * 20), ViewSettings(min_area=0.2, jitter=0), torch.Generator().manual_seed(3)
    )
    inner = views.reshape(50, 20, 20)[:, 1:-1, 1:-1]
    assert float(inner.min()) == pytest.approx(1, abs=1e-4)


def test_rows_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="square pictures"):
        random_views(torch.zeros(2, 70), ViewSettings(), torch.Generator())
