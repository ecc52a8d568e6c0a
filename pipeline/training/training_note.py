"""`TrainingNote`: something about a training that its user should read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingNote:
    """One sentence, such as that a damaged checkpoint was passed over."""

    text: str

    def __str__(self) -> str:
        return self.text
