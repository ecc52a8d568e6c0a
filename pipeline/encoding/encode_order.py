"""`EncodeOrder`: one task of a source, bound to the model and settings that will encode it."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field

from operators.decoders.image_decoder import DecodeLimits
from pipeline.sources.source import SourceTask

_DIGEST_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class EncodeOrder:
    """What one encoder is asked to do.

    `task_id`: 32 hex digits over the task's content digest, the model fingerprint and the encode settings, so that
    equal work has an equal id wherever and whenever it is planned. `salt` keeps id ranges apart (see `item_ids`).
    `attempt` is new for every try: a stale attempt can never be taken for the one that was committed.
    """

    task: SourceTask
    task_id: str
    salt: int = 0
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex[:16])


def encode_settings_sha256(limits: DecodeLimits, carried_types: dict[str, str]) -> str:
    """Digest of every setting, besides the model, that can change a row."""
    settings = {"max_bytes": limits.max_bytes, "max_pixels": limits.max_pixels, "carried": carried_types}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def task_id_of(task: SourceTask, *, model_fingerprint: str, settings_sha256: str) -> str:
    """32 hex digits; see `EncodeOrder`."""
    text = "\n".join((task.digest, model_fingerprint, settings_sha256))
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def source_id_of(source_uri: str) -> str:
    """16 hex digits that mark a source's shards in the table, so that two sources can share a collection."""
    return hashlib.blake2b(source_uri.encode(), digest_size=8).hexdigest()
