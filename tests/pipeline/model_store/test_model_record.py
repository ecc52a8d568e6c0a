"""`model.json` comes back as it was written, or is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CorruptFile
from pipeline.model_store.model_record import ModelRecord

_RECORD = ModelRecord(
    name="itq32",
    version=3,
    fingerprint="ab" * 32,
    model={"format": 1, "features": {"name": "hog"}},
    lineage={"metrics": {"map_at_10": 0.1 + 0.2}, "note": "Überblick"},
    tensors_sha256="cd" * 32,
    attempt="1f",
)


def test_round_trip() -> None:
    assert ModelRecord.from_bytes(_RECORD.to_bytes(), "c/model.json") == _RECORD


@given(position=st.integers(0, len(_RECORD.to_bytes()) - 1), flip=st.integers(1, 255))
def test_any_flipped_byte_is_refused_or_harmless(position: int, flip: int) -> None:
    data = bytearray(_RECORD.to_bytes())
    data[position] ^= flip
    uri = "c/model.json"
    try:
        read = ModelRecord.from_bytes(bytes(data), uri)
    except CorruptFile:
        return
    assert read == _RECORD  # The byte was white space, or a digit past the precision of a number.


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"null", _RECORD.to_bytes()[:-20], b'{"content_sha256": 1, "x": NaN}']
)
def test_other_content_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptFile, match=r"c/model.json is corrupt: .*; restore the file"):
        ModelRecord.from_bytes(data, "c/model.json")


def test_another_schema_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.model_store.model_record._SCHEMA_VERSION", 2)
    later = _RECORD.to_bytes()
    monkeypatch.undo()
    with pytest.raises(CorruptFile, match="not of schema version 1; use a newer bitquarry"):
        ModelRecord.from_bytes(later, "c/model.json")


def test_lineage_must_be_plain_finite_json() -> None:
    fields = {**vars(_RECORD), "lineage": {"map": float("nan")}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        ModelRecord(**fields).to_bytes()
    assert json.loads(_RECORD.to_bytes())["schema_version"] == 1
