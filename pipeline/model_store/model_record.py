"""`model.json`: the description of a stored model, with checksums of its tensors and of itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from operators.features.feature_extractor import Json
from pipeline.errors import CorruptFile

_SCHEMA_VERSION = 1
REMEDY = "restore the file from a backup, or train the model again"


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """What `model.json` holds. `attempt` is unique to one save, so that no two saves write the same bytes: a store
    takes a create-only write of bytes that are already there for its own."""

    name: str
    version: int
    fingerprint: str
    model: dict[str, Json]
    lineage: dict[str, Json]
    tensors_sha256: str
    attempt: str

    def to_bytes(self) -> bytes:
        """Indented JSON. Raises `ValueError` for a lineage with NaN or infinity, `TypeError` if it is not JSON."""
        fields: dict[str, Json] = {"schema_version": _SCHEMA_VERSION, **vars(self)}
        record = {**fields, "content_sha256": _content_sha256(fields)}
        return (json.dumps(record, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, uri: str) -> ModelRecord:
        """Raises `CorruptFile` unless these are the bytes that `to_bytes` made."""
        try:
            fields = json.loads(data, parse_constant=_refuse_constant)
        except ValueError as error:
            raise CorruptFile(uri, f"not JSON ({error})", REMEDY) from error
        if not isinstance(fields, dict) or fields.pop("content_sha256", None) != _content_sha256(fields):
            raise CorruptFile(uri, "its content_sha256 does not fit its content", REMEDY)
        if fields.pop("schema_version") != _SCHEMA_VERSION:
            raise CorruptFile(uri, f"not of schema version {_SCHEMA_VERSION}", "use a newer bitquarry")
        return cls(**fields)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _content_sha256(fields: dict[str, Json]) -> str:
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
