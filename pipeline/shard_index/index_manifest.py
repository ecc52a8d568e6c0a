"""`IndexManifest`: what one generation of an index holds. Its file, written last, is the commit point of a build."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, get_args

from operators.hashers.hasher import CodeKind
from pipeline.errors import CorruptFile
from pipeline.object_store.sealed_json import seal, unseal
from pipeline.object_store.uri_path import join_uri

FORMAT_VERSION = 1
MANIFEST_NAME = "MANIFEST.json"


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """One file of a generation; `name` is relative to it, `sha256` is 64 hex digits of its bytes."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ShardEntry:
    """One shard: rows `first_row` to `first_row + num_rows` of the index, ids `first_id` to `last_id` inclusive, of
    which `num_deleted` no longer answer. `structure`: what the kind of search keeps beside the codes.

    `home`: the generation in whose folder the files lie, None for its own. A delta shard was added to those of a build:
    its ids ascend, but fall anywhere between those of other shards. `search_kind`: where it is not the generation's.
    """

    name: str
    first_row: int
    num_rows: int
    first_id: int
    last_id: int
    codes: IndexFile
    ids: IndexFile
    payload: IndexFile
    structure: tuple[IndexFile, ...] = ()
    home: str | None = None
    is_delta: bool = False
    search_kind: str | None = None
    num_deleted: int = 0

    @property
    def files(self) -> tuple[IndexFile, ...]:
        return (self.codes, self.ids, self.payload, *self.structure)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def num_living(self) -> int:
        """Rows that answer."""
        return self.num_rows - self.num_deleted


@dataclass(frozen=True, kw_only=True)
class SearchFacts:
    """How shards are searched, by the names of `search_kinds`, and why so. Milliseconds of one query over the first
    shard: `scan_ms` and `predicted_ms` are None where the kind was asked for by name. `audit`: what an approximate
    kind was found to miss there."""

    kind: str = "scan"
    reason: str = "asked for"
    scan_ms: float | None = None
    predicted_ms: float | None = None
    measured_ms: float | None = None
    audit: str | None = None


@dataclass(frozen=True, kw_only=True)
class IndexManifest:
    """One immutable generation of `num_rows` items that answer.

    Ids ascend from the first row of the first shard to the last row of the last, but for delta shards, which come last;
    no id is there twice. `deleted`: npy int64 `(num_deleted,)`, ascending: ids of rows that no longer answer.
    """

    index: str
    generation: str
    collection: str
    table_version: int
    model_id: str
    model_fingerprint: str
    num_bits: int
    num_rows: int
    created_at: str
    builder: str
    shards: tuple[ShardEntry, ...]
    code_kind: CodeKind = "binary"
    search: SearchFacts = SearchFacts()
    deleted: IndexFile | None = None
    num_deleted: int = 0

    @property
    def size_bytes(self) -> int:
        files = sum(shard.size_bytes for shard in self.shards)
        return files if self.deleted is None else files + self.deleted.size_bytes

    @property
    def remedy(self) -> str:
        return rebuild_remedy(self.index, self.collection)

    def shard(self, name: str) -> ShardEntry:
        """The shard of that name; `KeyError` when there is none."""
        return {shard.name: shard for shard in self.shards}[name]

    def kind_of(self, shard: ShardEntry) -> str:
        """How a shard is searched, by the names of `search_kinds`."""
        return shard.search_kind if shard.search_kind is not None else self.search.kind

    def home_of(self, shard: ShardEntry) -> str:
        """The generation in whose folder the files of a shard lie."""
        return shard.home if shard.home is not None else self.generation

    def to_bytes(self) -> bytes:
        return seal({"format_version": FORMAT_VERSION, **asdict(self)})

    @classmethod
    def from_bytes(cls, data: bytes, uri: str, index: str) -> IndexManifest:
        """Raises `CorruptFile` for changed bytes, another format, missing fields, or rows that do not add up."""
        remedy = rebuild_remedy(index)
        content = unseal(data, uri, format_version=FORMAT_VERSION, remedy=remedy)
        del content["format_version"]
        try:
            shards = tuple(_shard_of(shard) for shard in content.pop("shards"))
            search = SearchFacts(**content.pop("search", {}))
            deleted = content.pop("deleted", None)
            deleted = IndexFile(**deleted) if deleted is not None else None
            manifest = cls(shards=shards, search=search, deleted=deleted, **content)
        except (TypeError, KeyError) as error:
            raise CorruptFile(uri, f"fields are missing or unknown ({error})", remedy) from None
        manifest._check(uri)
        return manifest

    def _check(self, uri: str) -> None:
        if self.code_kind not in get_args(CodeKind):
            raise CorruptFile(uri, f"code_kind is {self.code_kind!r}", self.remedy)
        if len({shard.name for shard in self.shards}) != len(self.shards):
            raise CorruptFile(uri, "two shards have the same name", self.remedy)
        next_row, last_id, seen_delta = 0, -1, False
        for shard in self.shards:
            seen_delta = seen_delta or shard.is_delta
            follows = shard.is_delta or (not seen_delta and last_id < shard.first_id)
            if shard.first_row != next_row or shard.num_rows < 1 or not follows or shard.first_id > shard.last_id:
                raise CorruptFile(uri, f"rows or ids of {shard.name} do not follow the shard before", self.remedy)
            next_row, last_id = next_row + shard.num_rows, shard.last_id
        self._check_counts(uri)

    def _check_counts(self, uri: str) -> None:
        for shard in self.shards:
            if not 0 <= shard.num_deleted <= shard.num_rows:
                wrong = f"{shard.num_deleted} of the {shard.num_rows} rows of {shard.name} are deleted"
                raise CorruptFile(uri, wrong, self.remedy)
        num_deleted = sum(shard.num_deleted for shard in self.shards)
        if num_deleted != self.num_deleted or (self.deleted is None) != (num_deleted == 0):
            wrong = f"{num_deleted} rows of shards are deleted, {self.num_deleted} of the index"
            raise CorruptFile(uri, wrong, self.remedy)
        num_living = sum(shard.num_living for shard in self.shards)
        if num_living != self.num_rows:
            raise CorruptFile(uri, f"shards hold {num_living} rows, the index {self.num_rows}", self.remedy)


def shard_name(number: int, num_shards: int) -> str:
    """`shard-00000-of-00004`"""
    return f"shard-{number:05d}-of-{num_shards:05d}"


def delta_name(number: int) -> str:
    """`delta-00000`, numbered through the generation that has it."""
    return f"delta-{number:05d}"


def generation_uri(catalog: str, index: str, generation: str) -> str:
    return join_uri(catalog, "indexes", index, generation)


def rebuild_remedy(index: str, collection: str = "COLLECTION") -> str:
    return f"build it again: bitquarry index build --collection {collection} --name {index}"


def _shard_of(content: dict[str, Any]) -> ShardEntry:
    files: dict[str, Any] = {name: IndexFile(**content.pop(name)) for name in ("codes", "ids", "payload")}
    structure = tuple(IndexFile(**file) for file in content.pop("structure", ()))
    return ShardEntry(**files, structure=structure, **content)
