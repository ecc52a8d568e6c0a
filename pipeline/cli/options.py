"""Options that several commands share, each stated once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from pipeline.errors import SettingsError, UsageError
from pipeline.settings import Settings, load_settings
from pipeline.sources.source_settings import SourceSettings

Catalog = Annotated[
    str | None,
    typer.Option(
        "--catalog", "-C", envvar="BITQUARRY_CATALOG", help="Folder or s3://bucket/prefix that holds everything."
    ),
]
Config = Annotated[Path | None, typer.Option("--config", help="YAML settings file; flags given here win over it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Source = Annotated[
    str,
    typer.Option("--source", "-s", help="Folder, s3://bucket/prefix, Parquet or Delta table, tars, IDX or CIFAR-10."),
]
Kind = Annotated[
    str, typer.Option("--source-kind", help="auto, folder, table, webdataset, idx or cifar10.", show_default=True)
]
BytesColumn = Annotated[str | None, typer.Option("--bytes-column", help="Table column that holds the pictures' bytes.")]
UriColumn = Annotated[str | None, typer.Option("--uri-column", help="Table column that holds paths or s3:// URIs.")]
KeyColumn = Annotated[str | None, typer.Option("--key-column", help="Table column that names each item.")]
LabelColumn = Annotated[str | None, typer.Option("--label-column", help="Table column or tar sibling with the class.")]
Carry = Annotated[
    list[str] | None, typer.Option("--carry", help="Column to carry along into the collection; may be repeated.")
]
TaskItems = Annotated[int | None, typer.Option("--task-items", help="Items per task, the unit of progress.", min=1)]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda; cuda never falls back to the CPU.")]
RayAddress = Annotated[
    str | None, typer.Option("--ray-address", help="Cluster to join (auto or host:port); default: a local Ray.")
]
IndexName = Annotated[str, typer.Option("--index", "-i", help="Name of the index.")]
CollectionName = Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")]
NumSearchers = Annotated[
    int | None, typer.Option("--searchers", help="Ray actors to search with; 0 searches in this process.", min=0)
]


def settings_from(config: Path | None, **flags: Any) -> Settings:
    """The settings file with the flags laid over it; a flag `encode__device` is the key `encode.device`."""
    return load_settings(config, {name.replace("__", "."): value for name, value in flags.items()})


def catalog_of(settings: Settings, *, may_be_new: bool = False) -> str:
    """The catalog's URI; a local one as an absolute path. `may_be_new`: its folder may be made by this command.

    Raises `SettingsError` when none is given, `UsageError` when it is a file or not there: a misspelt path must not
    look like an empty catalog.
    """
    if not settings.catalog:
        raise SettingsError("no catalog given; say where to keep things with --catalog, or `catalog:` in --config")
    if "://" in settings.catalog:
        return _existing_bucket(settings.catalog.rstrip("/"))
    path = Path(settings.catalog).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise UsageError(f"catalog {path}: is a file; give a folder or s3://bucket/prefix")
    if not path.exists() and not may_be_new:
        raise UsageError(f"catalog {path}: no such folder; `bitquarry train` makes a new catalog")
    return str(path)


def cache_dir_of(settings: Settings) -> Path | None:
    """Where shards of an `s3://` catalog are kept; None: the default folder."""
    return Path(settings.search.cache_dir) if settings.search.cache_dir else None


def _existing_bucket(catalog: str) -> str:
    from pipeline.errors import ObjectNotFound
    from pipeline.object_store.open_store import open_store

    try:
        next(iter(open_store(catalog).list(catalog)), None)
    except ObjectNotFound as error:
        raise UsageError(f"catalog {catalog}: {error}; make the bucket, or give another with --catalog") from None
    return catalog


class Columns(NamedTuple):
    """The column options, as given."""

    bytes_column: str | None
    uri_column: str | None
    key_column: str | None
    label_column: str | None


def source_settings(
    settings: Settings, uri: str, kind: str, columns: Columns, carry: list[str] | None = None
) -> SourceSettings:
    """What the source options say, with the settings' task size."""
    return SourceSettings(
        uri=uri, kind=kind, **columns._asdict(), carry=tuple(carry or ()), task_items=settings.source.task_items
    )


def parse_settings(pairs: list[str] | None, flag: str) -> dict[str, Any]:
    """`["num_tables=8", "center=true"]` to `{"num_tables": 8, "center": True}`. Raises `UsageError` for other forms."""
    import yaml

    parsed: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"{flag} {pair}: expected name=value, for example num_tables=8")
        parsed[name.replace("-", "_")] = yaml.safe_load(value)
    return parsed
