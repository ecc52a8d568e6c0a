"""Names of indexes and aliases: one path part, alike on every store."""

from __future__ import annotations

import re

from pipeline.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(kind: str, name: str) -> str:
    """The name itself. Raises `UsageError` for one that is empty, too long, or could leave its folder."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{kind} name {name!r}: use 1 to 100 letters, digits, dots, dashes and underscores, "
            "and begin with a letter or digit"
        )
    return name
