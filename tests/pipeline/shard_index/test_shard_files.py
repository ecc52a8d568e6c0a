"""What the writer streams is what numpy and Arrow read back, and its digests are those of the files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.shard_index import shard_files
from pipeline.shard_index.shard_files import ShardFilesWriter
from tests.pipeline.shard_index.index_examples import make_corpus


@pytest.mark.parametrize("batch_rows", [1, 7, 20, 100])
def test_files_hold_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int) -> None:
    monkeypatch.setattr(shard_files, "PAYLOAD_BATCH_ROWS", batch_rows)
    corpus = make_corpus(num_rows=43)
    with ShardFilesWriter(tmp_path, "s", first_row=5, num_rows=43, num_code_bytes=2) as writer:
        for start in range(0, 43, 10):
            rows = slice(start, start + 10)
            writer.write(corpus.ids[rows], corpus.codes.packed[rows], corpus.table(rows).select(["key", "label"]))
        entry = writer.finish()
    assert np.array_equal(np.load(tmp_path / "s.codes.npy"), corpus.codes.packed)
    assert np.array_equal(np.load(tmp_path / "s.ids.npy"), corpus.ids)
    with pa.ipc.open_file(tmp_path / "s.payload.arrow") as reader:
        sizes = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
        assert reader.read_all() == corpus.table(slice(None)).select(["key", "label"])
    assert set(sizes[:-1]) <= {batch_rows}
    assert sizes[-1] <= batch_rows
    assert (entry.first_row, entry.num_rows) == (5, 43)
    assert (entry.first_id, entry.last_id) == (corpus.ids[0], corpus.ids[-1])
    for file in entry.files:
        data = (tmp_path / file.name).read_bytes()
        assert (file.size_bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_refuses_too_many_and_too_few_rows(tmp_path: Path) -> None:
    corpus = make_corpus(num_rows=5)
    with ShardFilesWriter(tmp_path, "s", first_row=0, num_rows=4, num_code_bytes=2) as writer:
        with pytest.raises(ValueError, match="5 rows, 4 missing"):
            writer.write(corpus.ids, corpus.codes.packed, corpus.table(slice(None)))
        with pytest.raises(ValueError, match="4 rows are missing"):
            writer.finish()
