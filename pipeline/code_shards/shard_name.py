"""`ShardName`: the name of one Parquet file of a collection. A name is never reused: it holds attempt and content."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.code_shards.item_ids import MAX_SALT, id_prefix
from pipeline.errors import StorageError, UsageError

_FILE_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{32})-([0-9a-f]{2})-([0-9a-f]{16})-([0-9a-f]{64})\.parquet")
_NUM_DIGITS = {"source_id": 16, "task_id": 32, "attempt": 16, "sha256": 64}
_HEX_DIGITS = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, kw_only=True, order=True)
class ShardName:
    """Hex digits, lower case: `source_id` 16, `task_id` 32, `attempt` 16, `sha256` (of the file) 64; `salt` is 0..255.

    Raises `UsageError` for a part of another form.
    """

    source_id: str
    task_id: str
    salt: int
    attempt: str
    sha256: str

    def __post_init__(self) -> None:
        for part, num_digits in _NUM_DIGITS.items():
            text = getattr(self, part)
            if len(text) != num_digits or not _HEX_DIGITS.fullmatch(text):
                raise UsageError(f"{part} = {text!r}: expected {num_digits} lower-case hex digits")
        if not 0 <= self.salt <= MAX_SALT:
            raise UsageError(f"salt = {self.salt}: expected 0..{MAX_SALT}")

    @classmethod
    def parse(cls, file_name: str) -> ShardName:
        """Inverse of `file_name`, strict. Raises `StorageError` for any other text."""
        match = _FILE_NAME.fullmatch(file_name)
        if match is None:
            raise StorageError(
                f"{file_name!r} is not the name of a shard; only `bitquarry` may put files into a collection"
            )
        source_id, task_id, salt, attempt, sha256 = match.groups()
        return cls(source_id=source_id, task_id=task_id, salt=int(salt, 16), attempt=attempt, sha256=sha256)

    @property
    def file_name(self) -> str:
        return f"{self.source_id}-{self.task_id}-{self.salt:02x}-{self.attempt}-{self.sha256}.parquet"

    @property
    def prefix(self) -> int:
        """Upper bits of the ids in the shard, see `item_ids`."""
        return id_prefix(self.task_id, self.salt)

    @property
    def task(self) -> tuple[str, str]:
        """What may be committed once: the task of this source."""
        return self.source_id, self.task_id
