"""Digests of tasks: equal when the content is, in any process and at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

# Part of every digest: raise it when the meaning of a task changes, and everything is encoded anew.
_VERSION = "bitquarry-task-1"


def task_digest(kind: str, fields: Iterable[str | int]) -> str:
    """32 hex digits (BLAKE2b-16) of `kind` and `fields`, each with its length so that none runs into another."""
    digest = hashlib.blake2b(digest_size=16)
    for field in (_VERSION, kind, *fields):
        text = str(field).encode()
        digest.update(len(text).to_bytes(8, "big"))
        digest.update(text)
    return digest.hexdigest()


def key_hash(key: str) -> int:
    """64 pseudo-random bits of a key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
