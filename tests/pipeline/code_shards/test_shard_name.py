from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.code_shards.shard_name import ShardName
from pipeline.errors import StorageError, UsageError


def hex_digits(num_digits: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=num_digits, max_size=num_digits)


NAMES = st.builds(
    ShardName,
    source_id=hex_digits(16),
    task_id=hex_digits(32),
    salt=st.integers(0, 255),
    attempt=hex_digits(16),
    sha256=hex_digits(64),
)
EXAMPLE = ShardName(source_id="1" * 16, task_id="2" * 32, salt=10, attempt="3" * 16, sha256="4" * 64)


@given(NAMES)
def test_names_round_trip(name: ShardName) -> None:
    assert ShardName.parse(name.file_name) == name
    assert len(name.file_name.encode()) <= 255


@given(NAMES, st.data())
def test_one_changed_character_is_another_name_or_none(name: ShardName, data: st.DataObject) -> None:
    text = name.file_name
    position = data.draw(st.integers(0, len(text) - 1))
    changed = text[:position] + data.draw(st.characters()) + text[position + 1 :]
    try:
        assert ShardName.parse(changed).file_name == changed
    except StorageError:
        assert changed != text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "part-00000.parquet",
        EXAMPLE.file_name + "\n",
        EXAMPLE.file_name.upper(),
        EXAMPLE.file_name.replace("-0a-", "-a-"),
        EXAMPLE.file_name.replace("2", "２", 1),
        "codes/" + EXAMPLE.file_name,
    ],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(StorageError, match="is not the name of a shard"):
        ShardName.parse(text)


@pytest.mark.parametrize(
    ("part", "value"),
    [("source_id", "1" * 15), ("task_id", "G" * 32), ("attempt", ""), ("sha256", "4" * 64 + "\n"), ("salt", 256)],
)
def test_parts_are_checked(part: str, value: str | int) -> None:
    parts: dict[str, str | int] = {name: getattr(EXAMPLE, name) for name in ShardName.__dataclass_fields__}
    with pytest.raises(UsageError, match=f"{part} = "):
        ShardName(**{**parts, part: value})  # type: ignore[arg-type]
