"""What `encode` and `plan` both open first: source, model and collection, checked to fit together."""

from __future__ import annotations

from dataclasses import dataclass

from operators.decoders.image_decoder import DecodeLimits
from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.encoding.encode_order import encode_settings_sha256, source_id_of
from pipeline.encoding.encode_plan import EncodePlan
from pipeline.model_store.model_store import ModelStore
from pipeline.model_store.stored_model import StoredModel
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.settings import Settings
from pipeline.shard_index.index_name import check_name
from pipeline.sources.open_source import open_source
from pipeline.sources.source import Source
from pipeline.sources.source_settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class EncodeRequest:
    """What to encode, with which model ("name" or "name@3"), into which collection of `catalog`."""

    catalog: str
    collection: str
    model: str
    source: SourceSettings

    @property
    def collection_uri(self) -> str:
        return join_uri(self.catalog, "collections", self.collection)


@dataclass(frozen=True, kw_only=True)
class EncodeTarget:
    """An opened request. `side` is the model's picture side in pixels; `table` is None while there is no collection."""

    request: EncodeRequest
    source: Source
    model: StoredModel
    side: int
    uses_accelerator: bool
    limits: DecodeLimits
    identity: CollectionIdentity
    table: CodeTable | None

    @property
    def source_id(self) -> str:
        return source_id_of(self.source.uri)

    @property
    def settings_sha256(self) -> str:
        return encode_settings_sha256(self.limits, dict(self.identity.carried))

    def created_table(self) -> CodeTable:
        """The collection, made now if it was not there. Raises `ModelMismatch` and `ConflictError`."""
        return CodeTable.create(self.request.collection_uri, self.identity)

    def plan(self, table: CodeTable | None) -> EncodePlan:
        """A fresh plan against the newest version of the table."""
        return EncodePlan(
            source_uri=self.source.uri,
            model_fingerprint=self.model.fingerprint,
            settings_sha256=self.settings_sha256,
            committed=tuple(shard.name for shard in table.snapshot().shards) if table else (),
        )


def open_target(request: EncodeRequest, settings: Settings) -> EncodeTarget:
    """Open all three and write nothing.

    Raises `UsageError` for the collection's name, `UnknownName` for the model, `SourceNotFound`,
    `ModelMismatch`."""
    check_name("collection", request.collection)
    stored, model = ModelStore(request.catalog, open_store(request.catalog)).load(request.model)
    source = open_source(request.source)
    table = CodeTable.find(request.collection_uri)
    if table is not None:
        table.check_model(stored.fingerprint)
    return EncodeTarget(
        request=request,
        source=source,
        model=stored,
        side=model.side,
        uses_accelerator=model.features.uses_accelerator,
        limits=DecodeLimits(max_bytes=settings.decode.max_bytes, max_pixels=settings.decode.max_pixels),
        identity=CollectionIdentity(
            model_id=stored.model_id,
            model_fingerprint=stored.fingerprint,
            num_bits=model.num_bits,
            carried=source.carried_types(),
            code_kind=model.code_kind,
        ),
        table=table,
    )
