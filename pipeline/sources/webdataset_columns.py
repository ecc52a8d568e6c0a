"""Labels and carried columns of WebDataset samples, from the small files that lie beside a picture in the tar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Siblings with a meaning of their own; every other name is a field of the JSON sibling.
TEXT_SIBLINGS = ("cls", "txt")
JSON_SIBLING = "json"


class BadMetadata(Exception):
    """A sibling that was asked for cannot be read. Argument: a sentence that says which and why."""


@dataclass(frozen=True, kw_only=True)
class WebdatasetColumns:
    """`label`: "cls", "txt" or a field of the JSON sibling; None means "cls" where there is one. `carry`: the same
    names, always carried as text: strings as they are, other values as JSON."""

    label: str | None
    carry: tuple[str, ...]

    @property
    def siblings(self) -> frozenset[str]:
        """Extensions of the siblings that have to be read."""
        names = {self.label or "cls", *self.carry}
        return frozenset(name if name in TEXT_SIBLINGS else JSON_SIBLING for name in names)

    def values(self, texts: Mapping[str, bytes]) -> tuple[str | None, dict[str, str | None]]:
        """Label and carried values, from the content of the siblings by extension. Raises `BadMetadata`."""
        fields = _json_fields(texts) if JSON_SIBLING in self.siblings else {}
        return _value(self.label or "cls", texts, fields), {name: _value(name, texts, fields) for name in self.carry}

    def missing(self, known: set[str]) -> set[str]:
        """The names asked for that are not among the known ones."""
        return {*self.carry, *([self.label] if self.label else [])} - known


def known_names(texts: Mapping[str, bytes]) -> set[str]:
    """Every name that could be asked of a sample. Raises `BadMetadata`."""
    return {name for name in TEXT_SIBLINGS if name in texts} | set(_json_fields(texts))


def _json_fields(texts: Mapping[str, bytes]) -> dict[str, Any]:
    if JSON_SIBLING not in texts:
        return {}
    try:
        fields = json.loads(texts[JSON_SIBLING])
    except (ValueError, RecursionError) as error:
        raise BadMetadata(f"its .json file is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadMetadata(f"its .json file holds a {type(fields).__name__}, expected an object")
    return fields


def _value(name: str, texts: Mapping[str, bytes], fields: Mapping[str, Any]) -> str | None:
    if name in TEXT_SIBLINGS:
        text = texts.get(name)
        return None if text is None else _decoded(name, text)
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _decoded(name: str, text: bytes) -> str:
    try:
        return text.decode().strip()
    except UnicodeDecodeError as error:
        raise BadMetadata(f"its .{name} file is not UTF-8: {error}") from error
