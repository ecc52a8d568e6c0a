"""`SearchClient`: asks a running search service. Needs the standard library only."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pipeline.errors import ServiceRefused, UsageError
from pipeline.search_client import service_answers as answers
from pipeline.search_client.service_connection import ServiceConnection

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class QueryBy:
    """One thing to search with: exactly one of the bytes or file of a picture, a code (bytes, or hex or base64 text),
    the id or the key of an indexed item. Raises `UsageError` for none or several."""

    image: bytes | Path | None = None
    code: bytes | str | None = None
    id: int | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        given = [name for name, value in vars(self).items() if value is not None]
        if len(given) != 1:
            raise UsageError(f"expected one of image, code, id or key, got {' and '.join(given) or 'none'}")

    def to_json(self) -> dict[str, str]:
        """Raises `UsageError` for a file that cannot be read."""
        if self.image is not None:
            return {"image_b64": base64.b64encode(_picture(self.image)).decode("ascii")}
        if self.code is not None:
            return {"code": self.code.hex() if isinstance(self.code, bytes) else self.code}
        return {"key": self.key} if self.key is not None else {"id": str(self.id)}


@dataclass(frozen=True, kw_only=True)
class SearchTerms:
    """How to search. `where`: conditions such as `label=shoe`, which all must hold. `ties`: "id" gives k hits, of
    those at one distance the smaller ids; "all" gives everything at the k-th distance. With `allow_partial`, an answer
    may lack shards, and says so. `exclude_self`: an item that is searched with is no hit."""

    k: int = 10
    radius: int | None = None
    where: tuple[str, ...] = ()
    ties: str = "id"
    allow_partial: bool = False
    with_payload: bool = True
    exclude_self: bool = True

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


DEFAULT_TERMS = SearchTerms()


class SearchClient:
    """Keeps one connection, for one thread. `num_retries`: how often a question that the service was too busy for is
    asked again, after the time that it names; changes never are.

    Every call raises `ServiceRefused` when the service answers with an error, `ServiceUnreachable` when it does not
    answer, and `UsageError` for what cannot be asked.
    """

    def __init__(self, url: str, key: str | None = None, timeout_seconds: float = 30, *, num_retries: int = 0) -> None:
        self._connection = ServiceConnection(url, key, timeout_seconds=timeout_seconds, num_retries=num_retries)

    def __enter__(self) -> SearchClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def query(self, index: str, by: QueryBy, terms: SearchTerms = DEFAULT_TERMS) -> answers.QueryAnswer:
        """The nearest items to one thing."""
        if by.image is not None:
            return self.query_image(index, by.image, terms)
        content = self._connection.ask("POST", f"{_path(index)}/query", {**by.to_json(), **terms.to_json()})
        return _parsed(answers.query_answer, content)

    def query_image(self, index: str, image: bytes | Path, terms: SearchTerms = DEFAULT_TERMS) -> answers.QueryAnswer:
        """The nearest items to a picture, sent as the file is. `terms.exclude_self` has no meaning here."""
        given = {name: value for name, value in terms.to_json().items() if name != "exclude_self"}
        parameters = urlencode({name: _text(value) for name, value in given.items()}, doseq=True)
        headers = {"Content-Type": "application/octet-stream"}
        path = f"{_path(index)}/query/image?{parameters}"
        return _parsed(answers.query_answer, self._connection.send("POST", path, _picture(image), headers))

    def query_code(self, index: str, code: bytes | str, terms: SearchTerms = DEFAULT_TERMS) -> answers.QueryAnswer:
        """The nearest items to a code: its bytes, or hex or base64 text."""
        return self.query(index, QueryBy(code=code), terms)

    def query_id(self, index: str, item_id: int, terms: SearchTerms = DEFAULT_TERMS) -> answers.QueryAnswer:
        """The nearest items to an indexed item."""
        return self.query(index, QueryBy(id=item_id), terms)

    def query_key(self, index: str, key: str, terms: SearchTerms = DEFAULT_TERMS) -> answers.QueryAnswer:
        """The nearest items to the indexed item with this key."""
        return self.query(index, QueryBy(key=key), terms)

    def query_batch(
        self, index: str, queries: Sequence[QueryBy], terms: SearchTerms = DEFAULT_TERMS
    ) -> answers.BatchAnswer:
        """The nearest items to each of several things, all from one generation."""
        asked = {"queries": [each.to_json() for each in queries], **terms.to_json()}
        return _parsed(answers.batch_answer, self._connection.ask("POST", f"{_path(index)}/query/batch", asked))

    def compare(self, index: str, a: QueryBy, b: QueryBy) -> answers.Comparison:
        """In which bits the codes of two things differ."""
        asked = {"index": index, "a": a.to_json(), "b": b.to_json()}
        return _parsed(answers.comparison, self._connection.ask("POST", "/v1/compare", asked))

    def indexes(self) -> tuple[answers.IndexStatus, ...]:
        """Every served index and its state."""
        content = self._connection.ask("GET", "/v1/indexes")
        return _parsed(lambda told: tuple(map(answers.index_status, told["indexes"])), content)

    def index(self, name: str) -> answers.IndexStatus:
        """One served index and its state."""
        return _parsed(answers.index_status, self._connection.ask("GET", _path(name)))

    def ready(self) -> answers.Readiness:
        """Whether all indexes are ready; one that is not says why."""
        return _parsed(answers.readiness, self._connection.ask("GET", "/readyz", accept=(200, 503)))

    def delete(self, index: str, *, ids: Sequence[int] = (), keys: Sequence[str] = ()) -> answers.DeleteAnswer:
        """Take items out of an index. When this returns, no later answer holds them. Needs a key that may write."""
        asked = {"index": index, "ids": [str(each) for each in ids], "keys": list(keys)}
        return _parsed(answers.delete_answer, self._connection.change("/v1/deletes", asked))

    def set_alias(self, index: str, alias: str, generation: str) -> answers.AliasAnswer:
        """Point an alias at a generation. Needs a key that may write."""
        asked = {"index": index, "alias": alias, "generation": generation}
        return _parsed(answers.alias_answer, self._connection.change("/v1/aliases", asked))

    def rollback_alias(self, index: str, alias: str) -> answers.AliasAnswer:
        """Point an alias back at the generation before. Needs a key that may write."""
        asked = {"index": index, "alias": alias, "rollback": True}
        return _parsed(answers.alias_answer, self._connection.change("/v1/aliases", asked))


def _path(index: str) -> str:
    return f"/v1/indexes/{quote(index, safe='')}"


def _picture(image: bytes | Path) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return image.read_bytes()
    except OSError as error:
        raise UsageError(f"{image}: {error.strerror}; give a readable picture file") from None


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _parsed(parse: Callable[[Mapping[str, Any]], Answer], content: Mapping[str, Any]) -> Answer:
    try:
        return parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceRefused(
            200, f"an answer that is not as expected ({error}); is this a Bitquarry service?"
        ) from None
