"""Names that could leave their folder are refused."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.shard_index.index_name import check_name


@pytest.mark.parametrize("name", ["photos", "a", "Photos_2026-11.v2", "0" * 100])
def test_accepts(name: str) -> None:
    assert check_name("index", name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "-x", "a" * 101, "é", "a\n"])
def test_refuses(name: str) -> None:
    with pytest.raises(UsageError, match="index name"):
        check_name("index", name)
