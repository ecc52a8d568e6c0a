"""`StoredModel`: which version of which model, where it came from; and how models are named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from operators.features.feature_extractor import Json
from pipeline.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """One saved version, never changed afterwards. `lineage`: the caller's facts (data, metrics, code version)."""

    name: str
    version: int
    fingerprint: str
    lineage: Mapping[str, Json]

    @property
    def model_id(self) -> str:
        """For example "itq32@3"."""
        return f"{self.name}@{self.version}"


def check_model_name(name: str) -> str:
    """Raises `UsageError` unless letters, digits, ".", "_" and "-", starting with a letter or digit, at most 100."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"model name {name!r}: expected up to 100 letters, digits, '.', '_', '-', a letter or digit first"
        )
    return name


def parse_model_reference(reference: str) -> tuple[str, int | None]:
    """ "itq32@3" -> ("itq32", 3), "itq32" -> ("itq32", None). Raises `UsageError`."""
    name, at, version = reference.partition("@")
    if at and not _VERSION.fullmatch(version):
        raise UsageError(f"model {reference!r}: expected a name or name@version, for example itq32@3")
    return check_model_name(name), int(version) if at else None
