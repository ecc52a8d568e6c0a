"""`SourceSettings`: what the user says about a source."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import SettingsError, UsageError

SOURCE_KINDS = ("folder", "table", "webdataset", "idx", "cifar10")

# Four times as many rows, the longest task there is, must stay below the 2**20 rows that one id prefix can number.
MAX_TASK_ITEMS = 200_000


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """`uri`: a path or `s3://` URI. `kind`: "auto" looks at the files. Columns are names in a table (`image.bytes` is a
    field of a struct) or, for tars, siblings ("txt", "cls") and fields of the JSON sibling. `task_items`: items per
    task, about. Raises `SettingsError` for values out of range.
    """

    uri: str
    kind: str = "auto"
    bytes_column: str | None = None
    uri_column: str | None = None
    key_column: str | None = None
    label_column: str | None = None
    carry: tuple[str, ...] = ()
    task_items: int = 2048

    def __post_init__(self) -> None:
        if self.kind != "auto" and self.kind not in SOURCE_KINDS:
            raise SettingsError(f"source kind {self.kind!r}: expected auto, {', '.join(SOURCE_KINDS)}")
        if not 1 <= self.task_items <= MAX_TASK_ITEMS:
            raise SettingsError(f"task_items = {self.task_items}: expected 1 to {MAX_TASK_ITEMS:,}")
        if self.bytes_column is not None and self.uri_column is not None:
            raise SettingsError("bytes_column and uri_column are both given: pictures come from one of them")
        if len(set(self.carry)) < len(self.carry):
            raise SettingsError(f"carry names a column twice: {', '.join(self.carry)}")


def refuse_columns(settings: SourceSettings, what: str, allowed: tuple[str, ...] = ()) -> None:
    """Raise `UsageError` for a column setting that `what` (such as "a folder of pictures") has no use for."""
    for name in ("bytes_column", "uri_column", "key_column", "label_column", "carry"):
        given = getattr(settings, name)
        if given and name not in allowed:
            shown = ", ".join(given) if isinstance(given, tuple) else given
            raise UsageError(f"{settings.uri}: {name} = {shown}, but {what} has no columns to choose; leave it out")
