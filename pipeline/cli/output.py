"""What a command answers, on stdout. Progress and complaints go to stderr."""

from __future__ import annotations

from collections.abc import Sequence


def say(text: str) -> None:
    print(text)


def counted(number: int, thing: str) -> str:
    """`1 item`, `1,200 items`"""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns padded to their widest cell: plain text, so that it can be piped."""
    cells = [list(map(str, headings)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells)
