"""Jobs that look at a whole index find the same in one that followed its collection and in one that was built anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.jobs.add_to_index import add_to_index
from pipeline.jobs.catalog_status import catalog_status
from pipeline.jobs.dedup_collection import DedupReport, DedupSettings, dedup_collection
from pipeline.jobs.delete_items import delete_items
from pipeline.jobs.evaluate_index import IndexSampling, IndexToEvaluate, evaluate_index
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.pipeline.jobs.growing_pictures import build, commit_pictures
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureCatalog:
    """Alias `live` points at a generation that grew, `built` at one of the same items that was built."""
    made = make_picture_catalog(str(tmp_path_factory.mktemp("catalog")))
    build(made)
    # Pictures 30 to 34 look like pictures 0 to 4.
    commit_pictures(made, range(30, 36), task=30, changed={30 + number: number for number in range(5)})
    add_to_index(made.catalog, "photos")
    delete_items(made.catalog, "photos", keys=["1.png", "32.png", "10.png"])
    indexes = IndexCatalog(made.catalog, LocalStore())
    grown = indexes.resolve("photos", "live")
    indexes.point_alias("photos", "built", build(made).generation)
    indexes.point_alias("photos", "live", grown.generation)
    return made


@pytest.mark.parametrize("num_searchers", [0, pytest.param(2, marks=pytest.mark.ray)])
def test_dedup(pictures: PictureCatalog, tmp_path: Path, num_searchers: int, request: pytest.FixtureRequest) -> None:
    if num_searchers:
        request.getfixturevalue("local_ray")

    def dedup(alias: str) -> DedupReport:
        settings = DedupSettings(
            catalog=pictures.catalog,
            index="photos",
            output=str(tmp_path / alias),
            alias=alias,
            num_searchers=num_searchers,
        )
        return replace(dedup_collection(settings), generation="", seconds=0)

    live = dedup("live")
    assert live == dedup("built")
    assert (live.num_items, live.num_removed > 0) == (23, True)
    for name in ("pairs", "clusters"):
        tables = [pq.read_table(tmp_path / alias / f"{name}.parquet").to_pylist() for alias in ("live", "built")]
        assert tables[0] == tables[1]


def test_evaluation(pictures: PictureCatalog) -> None:
    reports = [
        evaluate_index(
            IndexToEvaluate(catalog=pictures.catalog, index="photos", alias=alias),
            IndexSampling(max_queries=10, num_gallery_queries=0),
        )
        for alias in ("live", "built")
    ]
    assert reports[0].metrics == reports[1].metrics
    assert reports[0].run == reports[1].run
    assert reports[0].run.num_database == 23


def test_status_counts_items_that_answer(pictures: PictureCatalog) -> None:
    (row,) = catalog_status(pictures.catalog)["indexes"]
    assert (row["num_rows"], row["num_generations"]) == (23, 4)
