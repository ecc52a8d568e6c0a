"""Every changed byte of a sealed file is noticed."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import CorruptFile
from pipeline.object_store.sealed_json import seal, unseal

CONTENT = {"format_version": 1, "name": "fotos é", "rows": [1, 2], "nothing": None}


def test_round_trip() -> None:
    assert unseal(seal(CONTENT), "m.json", format_version=1, remedy="redo") == CONTENT


def test_any_flipped_bit_is_refused_or_harmless() -> None:
    sealed = seal(CONTENT)
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 0x04
        try:
            found = unseal(bytes(damaged), "m.json", format_version=1, remedy="redo")
        except CorruptFile:
            continue
        assert found == CONTENT  # white space between tokens


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "expected a JSON object, got list"),
        (json.dumps(CONTENT).encode(), "do not match"),
        (seal({**CONTENT, "format_version": 9}), "written in format 9, this version of bitquarry reads 1"),
        (seal({"name": "x"}), "written in format None"),
    ],
)
def test_refuses(data: bytes, reason: str) -> None:
    with pytest.raises(CorruptFile, match=reason):
        unseal(data, "m.json", format_version=1, remedy="redo")
