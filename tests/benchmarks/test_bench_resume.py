from pathlib import Path

import pytest

from benchmarks.bench_resume import ResumeBench, TableSize, write_table
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings


@pytest.mark.parametrize("size", [TableSize(num_tasks=3, rows_per_task=20), TableSize(num_tasks=2, rows_per_task=150)])
def test_a_table_is_cut_into_the_tasks_that_its_name_says(tmp_path: Path, size: TableSize) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, size)
    source = open_source(SourceSettings(uri=str(path), bytes_column="image", task_items=size.rows_per_task))
    assert [task.num_items for task in source.tasks()] == [size.rows_per_task] * size.num_tasks


def test_a_resume_finds_every_task_committed(tmp_path: Path) -> None:
    size = TableSize(num_tasks=2, rows_per_task=70)
    bench = ResumeBench(tmp_path)
    bench.prepare((size,))
    inside, whole = bench.resume(size)
    assert 0 < inside < whole
    (tmp_path / f"{size.name}.parquet").unlink()
    write_table(tmp_path / f"{size.name}.parquet", TableSize(num_tasks=3, rows_per_task=70))
    with pytest.raises(RuntimeError, match=r"table 2x70: \d tasks, expected 2"):
        bench.resume(size)
