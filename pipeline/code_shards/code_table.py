"""`CodeTable`: one collection: a Delta table of codes and one of rejects, under one model."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import cast, get_args

from operators.hashers.hasher import CodeKind
from pipeline.code_shards.delta_log import DeltaLog
from pipeline.code_shards.log_state import CommittedShard, TableSnapshot
from pipeline.code_shards.shard_schema import (
    BIT_ORDER,
    SCHEMA_VERSION,
    CollectionIdentity,
    check_schema_version,
    code_schema,
    logical_schema,
    rejects_schema,
)
from pipeline.errors import ConflictError, CorruptFile, ModelMismatch, UsageError
from pipeline.object_store.uri_path import join_uri

_PERCENT_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


class CodeTable:
    """A collection that exists. Use `create`, `find` or `open`. Pickles; holds no connection."""

    def __init__(self, collection_uri: str, identity: CollectionIdentity) -> None:
        self.uri = collection_uri
        self.identity = identity

    @classmethod
    def create(cls, collection_uri: str, identity: CollectionIdentity) -> CodeTable:
        """Create the collection, or open the one that is there when it has the same identity.

        Raises `ModelMismatch` for codes of another model, `ConflictError` for other carried columns, `UsageError` for a
        location that cannot be used, `StorageError` from the store.
        """
        if _PERCENT_ESCAPE.search(collection_uri):
            # delta-rs decodes paths twice: the table would be written to one folder and looked for in another.
            raise UsageError(
                f"{collection_uri}: a percent sign and two hex digits in a path do not work; choose another"
            )
        # The codes table last: it alone says that the collection exists.
        rejects_uri, codes_uri = join_uri(collection_uri, "rejects"), join_uri(collection_uri, "codes")
        version = {"bitquarry.schema_version": str(SCHEMA_VERSION)}
        DeltaLog.create(rejects_uri, logical_schema(rejects_schema()), version)
        DeltaLog.create(codes_uri, logical_schema(code_schema(identity)), _configuration(identity))
        table = cls.open(collection_uri, model_fingerprint=identity.model_fingerprint)
        if dict(table.identity.carried) != dict(identity.carried):
            raise ConflictError(
                f"collection {collection_uri} carries columns {dict(table.identity.carried)}, asked for "
                f"{dict(identity.carried)}; carry the same ones, or use another collection"
            )
        return table

    @classmethod
    def find(cls, collection_uri: str) -> CodeTable | None:
        """The collection, or None when there is none. Raises `StorageError` when that cannot be told or when it was
        written by a newer version."""
        codes_uri = join_uri(collection_uri, "codes")
        configuration = DeltaLog(codes_uri).configuration()
        if configuration is None:
            return None
        return cls(collection_uri, _identity(codes_uri, configuration))

    @classmethod
    def open(cls, collection_uri: str, *, model_fingerprint: str | None = None) -> CodeTable:
        """As `find`; raises `UsageError` when there is none, `ModelMismatch` when another fingerprint is given."""
        table = cls.find(collection_uri)
        if table is None:
            raise UsageError(f"there is no collection at {collection_uri}; make one with `bitquarry encode`")
        if model_fingerprint is not None:
            table.check_model(model_fingerprint)
        return table

    def check_model(self, model_fingerprint: str) -> None:
        if self.identity.model_fingerprint != model_fingerprint:
            raise ModelMismatch(f"collection {self.uri}", self.identity.model_fingerprint, model_fingerprint)

    @property
    def model_fingerprint(self) -> str:
        return self.identity.model_fingerprint

    @property
    def model_id(self) -> str:
        return self.identity.model_id

    @property
    def num_bits(self) -> int:
        return self.identity.num_bits

    @property
    def code_kind(self) -> CodeKind:
        return self.identity.code_kind

    @cached_property
    def codes_uri(self) -> str:
        return join_uri(self.uri, "codes")

    @cached_property
    def rejects_uri(self) -> str:
        return join_uri(self.uri, "rejects")

    def shard_uri(self, shard: CommittedShard) -> str:
        """Where a shard of a `snapshot` lies."""
        return join_uri(self.codes_uri, shard.name.file_name)

    def rejects_file_uri(self, shard: CommittedShard) -> str:
        """Where a file of a `rejects_snapshot` lies."""
        return join_uri(self.rejects_uri, shard.name.file_name)

    def snapshot(self, version: int | None = None) -> TableSnapshot:
        """What is committed, newest or at `version`: O(files) from the log alone. Raises `StorageError`."""
        return TableSnapshot.of(DeltaLog(self.codes_uri).read(version))

    def rejects_snapshot(self, codes: TableSnapshot) -> TableSnapshot:
        """The rejects files of the attempts committed in `codes`; leftovers of other attempts are not in it."""
        committed = {(shard.name.task, shard.name.attempt) for shard in codes.shards}
        every = TableSnapshot.of(DeltaLog(self.rejects_uri).read())
        kept = [shard for shard in every.shards if (shard.name.task, shard.name.attempt) in committed]
        return TableSnapshot(version=every.version, shards=tuple(kept))


def _configuration(identity: CollectionIdentity) -> dict[str, str]:
    return {
        "bitquarry.schema_version": str(SCHEMA_VERSION),
        "bitquarry.model_id": identity.model_id,
        "bitquarry.model_fingerprint": identity.model_fingerprint,
        "bitquarry.num_bits": str(identity.num_bits),
        "bitquarry.bit_order": BIT_ORDER,
        "bitquarry.code_kind": identity.code_kind,
        "bitquarry.carried": json.dumps(dict(identity.carried), sort_keys=True),
    }


def _code_kind(text: str) -> CodeKind:
    if text not in get_args(CodeKind):
        raise ValueError(f"code_kind {text!r}")
    return cast("CodeKind", text)


def _identity(uri: str, configuration: dict[str, str]) -> CollectionIdentity:
    check_schema_version(uri, configuration.get("bitquarry.schema_version"))
    try:
        return CollectionIdentity(
            model_id=configuration["bitquarry.model_id"],
            model_fingerprint=configuration["bitquarry.model_fingerprint"],
            num_bits=int(configuration["bitquarry.num_bits"]),
            carried=json.loads(configuration["bitquarry.carried"]),
            code_kind=_code_kind(configuration.get("bitquarry.code_kind", "binary")),
        )
    except (KeyError, ValueError) as error:
        remedy = "it was not made by bitquarry, or altered; use another collection"
        raise CorruptFile(uri, f"the table's settings are not those of a collection ({error})", remedy) from error
