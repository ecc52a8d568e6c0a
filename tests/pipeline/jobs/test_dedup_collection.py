"""The files of `dedup` against loops over the rows of an index, here and as Ray tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from pipeline.actors.join_task import joined_shards
from pipeline.errors import CorruptFile, ModelMismatch, StorageError, UnknownName, UsageError
from pipeline.jobs.dedup_collection import DedupReport, DedupSettings, dedup_collection
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.shard_join import ShardJoin
from tests.operators.search.near_duplicates import clustered_codes, pairs_by_force
from tests.pipeline.evaluation.small_evaluation import png
from tests.pipeline.shard_index.index_examples import Corpus, flip_byte, plan_for
from tests.s3_server import S3Server

NUM_BITS, RADIUS = 32, 3
Row = dict[str, Any]


def corpus_of(num_rows: int, seed: int, num_bits: int = NUM_BITS) -> Corpus:
    codes = clustered_codes(num_rows, num_bits, seed=seed)
    ids = np.cumsum(np.random.default_rng(seed).integers(1, 2**40, num_rows, dtype=np.int64))
    return Corpus(codes, ids, ["some"] * num_rows)


def build(catalog: Path, name: str, corpus: Corpus, **changes: Any) -> None:
    """An index with pixels and a score in its payload; every third picture can be read."""
    numbers = np.arange(len(corpus))
    (catalog / "pictures").mkdir(exist_ok=True)
    for number in numbers[::3]:
        (catalog / "pictures" / f"{number}.png").write_bytes(png(int(number) % 200))
    table = corpus.table(slice(None)).set_column(
        3, "uri", pa.array([f"{catalog}/pictures/{number}.png" for number in numbers])
    )
    table = table.append_column("width", pa.array(numbers % 7 + 1, pa.int32()))
    table = table.append_column("height", pa.array(numbers % 5 + 1, pa.int32()))
    table = table.append_column("sharpness", pa.array([None if n % 4 == 0 else n % 6 - 3.5 for n in numbers.tolist()]))
    plan = replace(plan_for(str(catalog), corpus, index=name), **changes)
    store = open_store(str(catalog))
    IndexCatalog(str(catalog), store).point_alias(name, "live", build_generation(store, plan, [table]).generation)


class Desk:
    def __init__(self, folder: Path) -> None:
        self.catalog, self.photos, self.others = folder, corpus_of(120, 5), corpus_of(90, 5)
        build(folder, "photos", self.photos)
        build(folder, "others", self.others, num_shards=2)

    def settings(self, output: Path, **changes: Any) -> DedupSettings:
        asked = DedupSettings(catalog=str(self.catalog), index="photos", output=str(output), radius=RADIUS)
        return replace(asked, **changes)

    def dedup(self, output: Path, **changes: Any) -> tuple[DedupReport, list[Row], list[Row]]:
        report = dedup_collection(self.settings(output, **changes))
        return report, *(pq.read_table(output / f"{name}.parquet").to_pylist() for name in ("pairs", "clusters"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("dedup"))


def test_pairs_are_those_of_a_loop(desk: Desk, tmp_path: Path) -> None:
    report, pairs, _ = desk.dedup(tmp_path)
    ids = desk.photos.ids.tolist()
    expected = [(ids[a], ids[b], distance) for a, b, distance in pairs_by_force(desk.photos.codes, None, RADIUS)]
    found = [(row["left_id"], row["right_id"], row["distance"]) for row in pairs]
    assert found == sorted(found)
    assert set(found) <= set(expected)
    assert {distance for *_, distance in found} == {0, 1, 2, 3}
    assert (report.num_item_pairs, report.num_pairs) == (len(expected), len(found))


def test_every_item_is_listed_and_one_of_each_cluster_is_kept(desk: Desk, tmp_path: Path) -> None:
    report, _, clusters = desk.dedup(tmp_path)
    assert [row["id"] for row in clusters] == desk.photos.ids.tolist()
    assert [row["key"] for row in clusters] == [desk.photos.key(row) for row in range(120)]
    rows_of = {id_: number for number, id_ in enumerate(desk.photos.ids.tolist())}
    bits = desk.photos.codes.to_bits()
    members: dict[int, list[Row]] = {}
    for number, row in enumerate(clusters):
        if row["cluster_id"] is None:
            assert (row["centre_id"], row["distance_to_centre"], row["kept"]) == (None, None, True)
            continue
        assert row["distance_to_centre"] == np.sum(bits[number] != bits[rows_of[row["centre_id"]]]) <= RADIUS
        members.setdefault(row["cluster_id"], []).append(row)
    assert sorted(members) == list(range(report.num_clusters))
    sizes = [len(members[number]) for number in sorted(members)]
    assert sizes == sorted(sizes, reverse=True)
    for cluster in members.values():
        assert len({row["centre_id"] for row in cluster}) == 1
        assert [row["kept"] for row in cluster] == [True] + [False] * (len(cluster) - 1)
    assert report.num_kept == sum(row["kept"] for row in clusters) == 120 - report.num_removed
    assert 0 < report.num_removed < 120


@pytest.mark.parametrize("keep", ["largest", "sharpness"])
def test_what_is_kept_has_the_highest_value(desk: Desk, tmp_path: Path, keep: str) -> None:
    _, _, clusters = desk.dedup(tmp_path, keep=keep)
    values: dict[str, list[float]] = {
        "largest": [(n % 7 + 1) * (n % 5 + 1) for n in range(120)],
        "sharpness": [-99 if n % 4 == 0 else n % 6 - 3.5 for n in range(120)],
    }
    members: dict[int, list[int]] = {}
    for number, row in enumerate(clusters):
        if row["cluster_id"] is not None:
            members.setdefault(row["cluster_id"], []).append(number)
    kept = [number for number, row in enumerate(clusters) if row["kept"] and row["cluster_id"] is not None]
    assert sorted(kept) == sorted(max(cluster, key=lambda n: (values[keep][n], -n)) for cluster in members.values())
    assert kept != sorted(min(cluster) for cluster in members.values())


def test_components_chain_and_stars_do_not(desk: Desk, tmp_path: Path) -> None:
    stars, _, _ = desk.dedup(tmp_path / "stars")
    components, _, clusters = desk.dedup(tmp_path / "components", clusters="components")
    assert components.num_pairs == stars.num_pairs
    assert components.num_kept < stars.num_kept
    assert max(row["distance_to_centre"] or 0 for row in clusters) > RADIUS


def test_against_another_index_what_is_near_it_goes(desk: Desk, tmp_path: Path) -> None:
    report, pairs, clusters = desk.dedup(tmp_path, against="others")
    force = pairs_by_force(desk.photos.codes, desk.others.codes, RADIUS)
    nearest: dict[int, tuple[int, int]] = {}
    for left, right, distance in force:
        nearest[left] = min(nearest.get(left, (99, 0)), (distance, int(desk.others.ids[right])))
    for number, row in enumerate(clusters):
        assert (row["distance_to_centre"], row["centre_id"]) == nearest.get(number, (None, None))
        assert row["kept"] == (number not in nearest)
    ids, other_ids = desk.photos.ids.tolist(), desk.others.ids.tolist()
    assert {(row["left_id"], row["right_id"]) for row in pairs} <= {(ids[a], other_ids[b]) for a, b, _ in force}
    assert {row["left_id"] for row in pairs} == {ids[number] for number in nearest}
    assert (report.num_item_pairs, report.num_removed) == (len(force), len(nearest))
    assert report.against == "others"
    assert 0 < len(nearest) < 120


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("against", [None, "others"])
def test_ray_tasks_write_the_same_files(desk: Desk, tmp_path: Path, against: str | None) -> None:
    here = desk.dedup(tmp_path / "here", against=against)
    there = desk.dedup(tmp_path / "there", against=against, num_searchers=2)
    assert replace(here[0], seconds=0) == replace(there[0], seconds=0)
    for name in ("pairs.parquet", "clusters.parquet"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


@pytest.mark.parametrize("num_searchers", [0, pytest.param(2, marks=pytest.mark.ray)])
def test_a_damaged_shard_is_named(tmp_path: Path, num_searchers: int, request: pytest.FixtureRequest) -> None:
    if num_searchers:
        request.getfixturevalue("local_ray")
    corpus = corpus_of(30, 2)
    build(tmp_path, "photos", corpus)
    flip_byte(next((tmp_path / "indexes" / "photos").glob("*/shard-00001-*.codes.npy")))
    asked = DedupSettings(
        catalog=str(tmp_path), index="photos", output=str(tmp_path / "out"), num_searchers=num_searchers
    )
    with pytest.raises(CorruptFile, match=r"shard-00001-of-00003\.codes\.npy is corrupt"):
        dedup_collection(asked)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_an_error_of_a_task_keeps_its_type(desk: Desk) -> None:
    manifest = IndexCatalog(str(desk.catalog), open_store(str(desk.catalog))).resolve("photos", "live")
    shard = manifest.shards[0].name
    task = ShardJoin(
        catalog=str(desk.catalog), left=manifest, left_shard=shard, right=manifest, right_shard=shard, radius=99
    )
    with pytest.raises(InvalidSetting, match="radius = 99"):
        list(joined_shards([task, task], num_at_once=1))


def test_files_to_s3(desk: Desk, tmp_path: Path, s3_server: S3Server) -> None:
    uri = f"{s3_server.uri}/dedup/photos"
    dedup_collection(replace(desk.settings(tmp_path), output=uri))
    desk.dedup(tmp_path)
    store = open_store(uri)
    for name in ("pairs.parquet", "clusters.parquet", "review.html"):
        assert store.read(f"{uri}/{name}") == (tmp_path / name).read_bytes()


def test_the_page_shows_clusters_with_pictures_and_without(desk: Desk, tmp_path: Path) -> None:
    report, _, clusters = desk.dedup(tmp_path)
    page = (tmp_path / "review.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clusters.parquet", "pairs.parquet", "review.html"]
    assert "http://" not in page
    assert "data:image/" in page
    assert "no picture" in page
    assert f"{report.num_removed:,}" in page
    largest = [row for row in clusters if row["cluster_id"] == 0]
    assert all(row["key"] in page for row in largest[:5])
    again = tmp_path / "again"
    desk.dedup(again)
    assert (again / "review.html").read_text() == page
    desk.dedup(again, seed=1)
    assert (again / "review.html").read_text() != page


def test_without_duplicates_the_page_says_so(tmp_path: Path) -> None:
    bits = np.eye(8, 64, dtype=bool)
    corpus = Corpus(BinaryCodes.from_bits(bits), np.arange(8), ["some"] * 8)
    build(tmp_path, "photos", corpus)
    report = dedup_collection(
        DedupSettings(catalog=str(tmp_path), index="photos", output=str(tmp_path / "o"), radius=1)
    )
    assert (report.num_pairs, report.num_clusters, report.num_kept) == (0, 0, 8)
    assert "No near duplicates." in (tmp_path / "o" / "review.html").read_text()
    assert pq.read_table(tmp_path / "o" / "pairs.parquet").column_names == ["left_id", "right_id", "distance"]


def test_what_is_refused(desk: Desk, tmp_path: Path) -> None:
    small = corpus_of(10, 1, num_bits=16)
    build(desk.catalog, "narrow", small)
    build(desk.catalog, "foreign", corpus_of(10, 1), model_fingerprint="0" * 64)
    build(desk.catalog, "sums", small, code_kind="quantized")
    refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"radius": -1}, InvalidSetting, "radius = -1: expected a whole number from 0 to 31 for 32 bits"),
        ({"radius": 32}, InvalidSetting, "radius = 32"),
        ({"index": "nope"}, UnknownName, "no index named 'nope'"),
        ({"against": "nope"}, UnknownName, "no index named 'nope'"),
        ({"index": "sums"}, UsageError, "codes of index sums are quantized"),
        ({"against": "narrow"}, UsageError, "codes of index narrow have 16 bits, those of index photos 32 bits"),
        ({"against": "foreign"}, ModelMismatch, "index foreign holds codes of model 000"),
        ({"keep": "beauty"}, UsageError, "has no column 'beauty'; known: .*sharpness"),
        ({"keep": "label"}, UsageError, "'label' of index photos is string, no number; numbers: .*width"),
        ({"clusters": "rings"}, UsageError, "clusters = 'rings': expected star or components"),
        ({"against": "photos"}, UsageError, "against = photos: the index itself, of which every item would go"),
        ({"against": "others", "keep": "largest"}, UsageError, "leave both out"),
    ]
    for changes, kind, message in refusals:
        with pytest.raises(kind, match=message):
            desk.dedup(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("here")
    with pytest.raises(StorageError, match="give a folder"):
        desk.dedup(tmp_path / "file")
