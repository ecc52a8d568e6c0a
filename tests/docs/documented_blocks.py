"""The fenced blocks of the README and the docs, and what they say as a shell script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: the `page` it is on, the last `heading` above it, its `language` ("" if none) and text."""

    page: str
    heading: str
    language: str
    text: str

    @property
    def first_line(self) -> str:
        return self.text.splitlines()[0]

    @property
    def script(self) -> str:
        """The block as lines of a shell script; a Python block is fed to `python`."""
        return f"python - <<'END_OF_BLOCK'\n{self.text}END_OF_BLOCK" if self.language == "python" else self.text


def pages() -> list[str]:
    """README, contributing page, docs, decisions and the deployment page, by path below the checkout."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in (*paths, ROOT / "deploy" / "README.md")]


def blocks_of(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page=page, heading=_heading_before(text, match.start()), language=match[1], text=match[2])
        for match in _FENCE.finditer(text)
    ]


def shell_script(blocks: Sequence[Block]) -> str:
    return "\n".join(block.script for block in blocks) + "\n"


def command_lines(text: str) -> list[str]:
    """Every line that starts with `bitquarry`, continuation lines joined, redirections and comments cut off."""
    joined = text.replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
    return [re.split(r"\s[|>#&]|;", line)[0] for line in lines if line.startswith("bitquarry ")]


def inline_code(page: str) -> list[str]:
    """What stands between backticks outside of blocks, line breaks as spaces."""
    prose = _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def links(page: str) -> list[str]:
    """Targets of links and pictures that are files, without their anchors."""
    prose = _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", prose)]
    return [target for target in targets if target and "://" not in target]


def _heading_before(text: str, position: int) -> str:
    prose = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    headings = [match[1] for match in _HEADING.finditer(prose, 0, position)]
    return headings[-1] if headings else ""
