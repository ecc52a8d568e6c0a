"""A folder of class folders to exact answers, by the commands that a user types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.end_to_end.whole_run import WholeRun, brute_force, codes_by_a_bare_loop, found_by
from tests.faults.colour_corpus import write_corpus

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

NUM_PICTURES, NUM_BROKEN, K = 60, 2, 12
QUERY_KEY = "class-3/00013.png"


class FolderRun:
    """Train, plan, encode and index, once for all tests of this file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = folder / "pictures"
        self.listed = write_corpus(self.pictures, num_pictures=NUM_PICTURES, num_broken=NUM_BROKEN)
        self.broken = {key for key in self.listed if (self.pictures / key).read_bytes().startswith(b"<html>")}
        config = folder / "settings.yaml"
        config.write_text("source: {task_items: 20}\nray: {num_cpus: 2}\n")
        self.run = WholeRun(str(folder / "catalog"), config)
        self.trained: dict[str, Any] = self.run.train(self.pictures)
        self.planned = self.plan()
        self.encoded: dict[str, Any] = self.run.encode("photos", self.pictures, exit_code=3)
        self.built = self.run.json("index", "build", "--collection", "photos", "--name", "photos", "--num-shards", 3)
        self.rows = self.run.rows("photos")

    def plan(self) -> dict[str, Any]:
        options = ("--collection", "photos", "--model", "lsh", "--source", self.pictures)
        planned: dict[str, Any] = self.run.json("plan", *options)
        return planned

    def row(self, key: str) -> tuple[int, str, bytes]:
        return next(row for row in self.rows if row[1] == key)


@pytest.fixture(scope="module")
def folder_run(tmp_path_factory: pytest.TempPathFactory) -> FolderRun:
    return FolderRun(tmp_path_factory.mktemp("folder-run"))


def test_every_listed_picture_is_a_row_or_a_reject(folder_run: FolderRun) -> None:
    report = folder_run.encoded
    assert folder_run.planned["num_items_to_encode"] == folder_run.planned["num_new"] == NUM_PICTURES + NUM_BROKEN
    assert (report["num_rows"], report["num_rejects"]) == (NUM_PICTURES, NUM_BROKEN)
    assert report["rejects_by_reason"] == {"undecodable": NUM_BROKEN}
    assert folder_run.planned["num_tasks_to_encode"] == report["num_tasks"] > 1
    assert {key for _, key, _ in folder_run.rows} == folder_run.listed - folder_run.broken


def test_codes_are_those_of_a_bare_loop(folder_run: FolderRun) -> None:
    fingerprint, codes = codes_by_a_bare_loop(folder_run.pictures, folder_run.broken)
    assert folder_run.trained["fingerprint"] == fingerprint
    assert {key: code for _, key, code in folder_run.rows} == codes


def test_plan_finds_nothing_left_to_do(folder_run: FolderRun) -> None:
    planned = folder_run.plan()
    assert planned["num_tasks_to_encode"] == planned["num_items_to_encode"] == 0
    assert planned["num_items_committed"] == NUM_PICTURES + NUM_BROKEN


def test_encode_again_does_nothing(folder_run: FolderRun) -> None:
    report = folder_run.run.encode("photos", folder_run.pictures, exit_code=0)
    assert report["num_tasks"] == 0
    assert report["num_tasks_committed_before"] == folder_run.encoded["num_tasks"]
    assert folder_run.run.rows("photos") == folder_run.rows


def test_index_is_whole_and_listed(folder_run: FolderRun) -> None:
    verified = folder_run.run.json("index", "verify", "--index", "photos")
    listed = folder_run.run.json("index", "list")["generations"]
    assert verified["problems"] == []
    assert verified["num_rows"] == folder_run.built["num_rows"] == NUM_PICTURES
    assert [(row["index"], row["generation"], row["aliases"]) for row in listed] == [
        ("photos", folder_run.built["generation"], ["live"])
    ]


def test_query_by_picture_and_by_code(folder_run: FolderRun) -> None:
    _, _, code = folder_run.row(QUERY_KEY)
    expected = brute_force(folder_run.rows, code, k=K)
    by_code = folder_run.run.hits("--code", code.hex(), "--k", K)
    assert found_by(by_code) == expected
    assert folder_run.run.hits("--image", folder_run.pictures / QUERY_KEY, "--k", K) == by_code
    distances = [distance for distance, _, _ in expected]
    assert len(set(distances)) < K, "no ties: the tie rule was not tried"
    assert by_code[0]["label"] == "class-3"


def test_query_by_item_leaves_the_item_out(folder_run: FolderRun) -> None:
    id_, key, code = folder_run.row(QUERY_KEY)
    expected = brute_force(folder_run.rows, code, k=K, without=id_)
    assert found_by(folder_run.run.hits("--id", id_, "--k", K)) == expected
    assert found_by(folder_run.run.hits("--key", key, "--k", K)) == expected


def test_searcher_processes_give_the_same_hits(folder_run: FolderRun) -> None:
    query = ("--image", folder_run.pictures / QUERY_KEY, "--k", NUM_PICTURES)
    assert folder_run.run.hits(*query, "--searchers", 2) == folder_run.run.hits(*query, "--searchers", 0)


def test_batch_search_gives_the_brute_force_answers(folder_run: FolderRun) -> None:
    queries, answers = folder_run.folder / "queries.parquet", folder_run.folder / "answers.parquet"
    asked = folder_run.rows[::7]
    pq.write_table(pa.table({"query_id": [key for _, key, _ in asked], "code": [code for *_, code in asked]}), queries)
    options = ("--queries", queries, "--output", answers, "--k", K)
    report = folder_run.run.json("search-batch", "--index", "photos", *options)
    found: dict[str, list[tuple[int, int, str]]] = {}
    for row in pq.read_table(answers).to_pylist():
        found.setdefault(row["query_id"], []).append((row["distance"], row["id"], row["key"]))
    assert found == {key: brute_force(folder_run.rows, code, k=K) for _, key, code in asked}
    assert report["num_queries"] == len(asked)


def test_evaluation_of_the_index_with_its_page(folder_run: FolderRun) -> None:
    page = folder_run.folder / "report.html"
    report = folder_run.run.json("evaluate", "--index", "photos", "--html", page)
    assert report["metrics"]["precision_radius_2"] == pytest.approx(precision_within_2(folder_run.rows), abs=1e-9)
    html = page.read_text()
    assert html.count("data:image/") > 8
    assert "http://" not in html.replace("http://www.w3.org/", "")


def precision_within_2(rows: list[tuple[int, str, bytes]]) -> float:
    """Over all rows as queries, the mean share of its own class among the others within 2 bits; 0 where there are
    none."""
    shares = []
    for id_, key, code in rows:
        ranked = brute_force(rows, code, k=len(rows), without=id_)
        near = [found.split("/")[0] == key.split("/")[0] for distance, _, found in ranked if distance <= 2]
        shares.append(sum(near) / max(len(near), 1))
    return sum(shares) / len(shares)


def test_dedup_of_the_index_with_its_page(folder_run: FolderRun) -> None:
    report = folder_run.run.json("dedup", "--index", "photos", "--radius", 3, "--output", folder_run.folder / "dups")
    near = {
        id_: [other for distance, other, _ in brute_force(folder_run.rows, code, k=NUM_PICTURES) if distance <= 3]
        for id_, _, code in folder_run.rows
    }
    clusters = pq.read_table(folder_run.folder / "dups" / "clusters.parquet").to_pylist()
    assert [row["id"] for row in clusters] == sorted(near)
    assert {row["id"] for row in clusters if row["cluster_id"] is None} >= {id_ for id_ in near if near[id_] == [id_]}
    assert all(row["centre_id"] in near[row["id"]] for row in clusters if row["cluster_id"] is not None)
    assert sum(row["kept"] for row in clusters) == report["num_kept"] < NUM_PICTURES == report["num_items"]
    assert report["num_item_pairs"] == sum(len(found) - 1 for found in near.values()) // 2
    assert (folder_run.folder / "dups" / "review.html").read_text().count("data:image/") > 8


def test_status_counts_what_is_there(folder_run: FolderRun) -> None:
    status = folder_run.run.json("status")
    assert [row["model"] for row in status["models"]] == ["lsh@1"]
    assert [(row["num_rows"], row["num_rejects"]) for row in status["collections"]] == [(NUM_PICTURES, NUM_BROKEN)]
    assert [(row["num_rows"], row["live"]) for row in status["indexes"]] == [
        (NUM_PICTURES, folder_run.built["generation"])
    ]


def test_rejects_are_listed_with_their_reason(folder_run: FolderRun) -> None:
    listed = folder_run.run.json("rejects", "--collection", "photos")["rejects"]
    assert {item["key"] for item in listed} == folder_run.broken
    assert {(item["stage"], item["reason"]) for item in listed} == {("decode", "undecodable")}
    assert folder_run.run.json("rejects", "--collection", "photos", "--reason", "too_large")["rejects"] == []


def test_brute_force_goes_red_on_one_wrong_bit(folder_run: FolderRun) -> None:
    """Self-test of the reference: another code, another order of ties, or a lost row changes its answer."""
    id_, _, code = folder_run.row(QUERY_KEY)
    expected = brute_force(folder_run.rows, code, k=NUM_PICTURES)
    flipped = bytes([code[0] ^ 1, *code[1:]])
    assert brute_force(folder_run.rows, flipped, k=NUM_PICTURES) != expected
    assert brute_force([row for row in folder_run.rows if row[0] != id_], code, k=NUM_PICTURES) != expected
    assert sorted(expected, key=lambda neighbor: (neighbor[0], -neighbor[1])) != expected
