"""`ApiKeys`: who may ask. A file holds the digests of keys, never the keys."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from pipeline.errors import UsageError

Right = Literal["read", "write"]
_PREFIX = "bq_"
_KEY_BYTES = 32
_NAME_CHARACTERS = 64


@dataclass(frozen=True, kw_only=True)
class KeyEntry:
    """`sha256` of a key in hex. A key is 32 random bytes, so that its plain digest cannot be reversed by guessing.
    "write" may do what "read" may, and change aliases and delete. Raises `UsageError`."""

    name: str
    right: Right
    sha256: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= _NAME_CHARACTERS or not self.name.isprintable():
            raise UsageError(f"key name {self.name!r}: expected 1 to {_NAME_CHARACTERS} printable characters")
        checked_right(self.right)
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise UsageError(f"key {self.name}: expected a sha256 of 64 hexadecimal digits; make the key anew")


def checked_right(text: str) -> Right:
    """The right of that name. Raises `UsageError` for others."""
    for right in get_args(Right):
        if text == right:
            return cast("Right", right)
    raise UsageError(f"right {text!r}: expected one of {', '.join(get_args(Right))}")


class ApiKeys:
    """The keys of a service. No keys at all let nobody in."""

    def __init__(self, entries: Iterable[KeyEntry] = ()) -> None:
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        return self._entries

    @classmethod
    def read(cls, path: Path) -> ApiKeys:
        """Raises `UsageError` for a file that cannot be read or is no key file."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(KeyEntry(**entry) for entry in content["keys"])
        except OSError as error:
            raise UsageError(f"key file {path}: {error.strerror}; make one: bitquarry keys add") from None
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"key file {path} is no key file ({error}); make one: bitquarry keys add") from None

    def write(self, path: Path) -> None:
        """Whole or not at all, readable by its owner only."""
        temporary = path.with_name(path.name + ".partial")
        temporary.touch(mode=0o600)
        content = {"keys": [asdict(entry) for entry in self._entries]}
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)

    def with_new(self, name: str, right: Right) -> tuple[ApiKeys, str]:
        """The keys with one more, and that key, which is nowhere kept. Raises `UsageError` for a name that is taken."""
        if any(entry.name == name for entry in self._entries):
            raise UsageError(f"key {name!r} exists; remove it first, or take another name")
        key = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        return ApiKeys((*self._entries, KeyEntry(name=name, right=right, sha256=_digest(key)))), key

    def without(self, name: str) -> ApiKeys:
        """Raises `UsageError` for an unknown name."""
        left = tuple(entry for entry in self._entries if entry.name != name)
        if len(left) == len(self._entries):
            known = ", ".join(entry.name for entry in self._entries) or "none"
            raise UsageError(f"no key named {name!r}; known: {known}")
        return ApiKeys(left)

    def entry_of(self, key: str) -> KeyEntry | None:
        """Whose key it is, None for nobody's. Takes as long for any key: every entry is compared, in constant time."""
        digest = _digest(key)
        found: KeyEntry | None = None
        for entry in self._entries:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
