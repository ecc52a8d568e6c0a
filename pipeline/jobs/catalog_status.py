"""What a catalog holds, read from its records alone."""

from __future__ import annotations

from pipeline.code_shards.code_table import CodeTable
from pipeline.errors import ObjectNotFound
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.records import Scalar
from pipeline.shard_index.index_catalog import IndexCatalog


def catalog_status(catalog: str) -> dict[str, list[dict[str, Scalar]]]:
    """Rows for "models", "collections" and "indexes", by name. Opens no Parquet file. Raises `StorageError`."""
    store = open_store(catalog)
    return {
        "models": _models(catalog, store),
        "collections": [_collection(catalog, name, store) for name in collection_names(catalog, store)],
        "indexes": _indexes(catalog, store),
    }


def collection_names(catalog: str, store: ObjectStore) -> tuple[str, ...]:
    """Names under `<catalog>/collections/` that hold a code table."""
    folder = join_uri(catalog, "collections")
    try:
        paths = [info.uri.removeprefix(folder + "/").split("/") for info in store.list(folder)]
    except ObjectNotFound:
        return ()
    return tuple(sorted({path[0] for path in paths if path[1:3] == ["codes", "_delta_log"]}))


def _models(catalog: str, store: ObjectStore) -> list[dict[str, Scalar]]:
    models = ModelStore(catalog, store)
    rows: list[dict[str, Scalar]] = []
    for name in models.names():
        stored, model = models.load(name)
        rows.append(
            {
                "model": stored.model_id,
                "method": model.hasher.method,
                "num_bits": model.num_bits,
                "features": model.features.name,
                "fingerprint": stored.fingerprint[:12],
            }
        )
    return rows


def _collection(catalog: str, name: str, store: ObjectStore) -> dict[str, Scalar]:
    table = CodeTable.open(join_uri(catalog, "collections", name))
    snapshot = table.snapshot()
    rejects = table.rejects_snapshot(snapshot)
    return {
        "collection": name,
        "num_rows": snapshot.num_rows,
        "num_rejects": rejects.num_rows,
        "num_tasks": len(snapshot.shards),
        "table_version": snapshot.version,
        "model": table.model_id,
        "num_bits": table.num_bits,
    }


def _indexes(catalog: str, store: ObjectStore) -> list[dict[str, Scalar]]:
    indexes = IndexCatalog(catalog, store)
    rows: list[dict[str, Scalar]] = []
    for name in indexes.index_names():
        live = indexes.aliases(name).get("live")
        manifest = indexes.manifest(name, live.generation) if live else None
        rows.append(
            {
                "index": name,
                "num_generations": len(indexes.generations(name)),
                "live": live.generation if live else None,
                "num_rows": manifest.num_rows if manifest else None,
                "collection": manifest.collection if manifest else None,
                "table_version": manifest.table_version if manifest else None,
            }
        )
    return rows
