from __future__ import annotations

from pipeline.evaluation.duplicate_review import DuplicateReview, ReviewedCluster, render_duplicate_review
from pipeline.evaluation.neighbour_gallery import GalleryPicture
from tests.pipeline.evaluation.small_evaluation import png


def picture(key: str, distance: int | None = None, thumbnail: bytes | None = None) -> GalleryPicture:
    relevant = None if distance is None else False
    return GalleryPicture(thumbnail=thumbnail, key=key, label=key, distance=distance, relevant=relevant)


def review(**changes: list[ReviewedCluster]) -> str:
    return render_duplicate_review(DuplicateReview(title="T", summary="S", figures={"items": "1,234"}, **changes))


def test_pictures_distances_and_what_is_not_shown() -> None:
    cluster = ReviewedCluster(
        stays=picture("a.png", thumbnail=png(3)), goes=(picture("b.png", 0), picture("c.png", 2)), num_not_shown=1200
    )
    page = review(largest=[cluster])
    assert page.count("data:image/png") == 1
    assert page.count("no picture") == 2
    assert "✗ 2" in page
    assert "and 1,200 more" in page
    assert "The largest clusters" in page
    assert "A sample of" not in page
    assert "1,234" in page


def test_keys_cannot_inject_markup() -> None:
    page = review(sample=[ReviewedCluster(stays=picture("<script>"), goes=(picture('"><b>', 1),))])
    assert "<script" not in page
    assert "<b>" not in page
    assert "A sample of the other clusters" in page


def test_without_clusters() -> None:
    assert "No near duplicates." in review()
