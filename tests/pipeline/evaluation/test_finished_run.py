from pathlib import Path

import pytest

from pipeline.errors import CorruptFile
from pipeline.evaluation.finished_run import FinishedRuns
from tests.pipeline.evaluation.small_comparison import small_run


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    kept = FinishedRuns(tmp_path / "runs")
    runs = [small_run("itq"), small_run("dsh", database="learned")]
    key = FinishedRuns.key({"method": "itq"})
    assert kept.find(key) is None
    kept.keep(key, runs)
    assert kept.find(key) == runs
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{key}.json"]


def test_keys_tell_identities_apart_and_know_no_order() -> None:
    key = FinishedRuns.key({"a": 1, "b": 2})
    assert key == FinishedRuns.key({"b": 2, "a": 1}) != FinishedRuns.key({"a": 1, "b": 3})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text('[{"report": 3}]')
    with pytest.raises(CorruptFile, match=r"k\.json is corrupt: not a finished run .*remove the file"):
        FinishedRuns(tmp_path).find("k")


def test_figures_curves_and_pictures_of_a_report() -> None:
    run = small_run("itq", map_at_10=float("nan"))
    assert run.figure("metrics", "map_at_10") is None
    assert run.figure("code_health", "num_items") == 12
    assert run.figure("nothing", "here") is None
    assert run.rows[0].query.source is not None
    assert run.rows[0].query.source.startswith("data:image/png;base64,")
    assert {item.relevant for row in run.rows for item in row.neighbours} == {True, False}
    assert (run.row_name, small_run("dsh", database="learned").row_name) == ("itq", "dsh (learned codes)")
