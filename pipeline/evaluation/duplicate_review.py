"""A page to look at clusters of near duplicates before anything is removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation.neighbour_gallery import GalleryPicture
from pipeline.evaluation.page_environment import page_environment


@dataclass(frozen=True, kw_only=True)
class ReviewedCluster:
    """The picture that stays, some of those that go, nearest first, and how many more there are."""

    stays: GalleryPicture
    goes: tuple[GalleryPicture, ...]
    num_not_shown: int = 0


@dataclass(frozen=True, kw_only=True)
class DuplicateReview:
    """`figures` by name, as text; `largest` clusters and a `sample` of the others."""

    title: str
    summary: str
    figures: Mapping[str, str]
    largest: Sequence[ReviewedCluster] = ()
    sample: Sequence[ReviewedCluster] = ()


def render_duplicate_review(review: DuplicateReview) -> str:
    """One self-contained HTML page."""
    sections = (("The largest clusters", review.largest), ("A sample of the other clusters", review.sample))
    return (
        page_environment()
        .get_template("duplicate_review.html.j2")
        .render(
            title=review.title,
            summary=review.summary,
            figures=review.figures,
            sections=[(heading, clusters) for heading, clusters in sections if clusters],
        )
    )
