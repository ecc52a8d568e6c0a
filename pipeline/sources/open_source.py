"""Opening a source from its settings."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.sources.cifar10_source import Cifar10Source
from pipeline.sources.folder_source import FolderSource
from pipeline.sources.idx_source import IdxSource
from pipeline.sources.source import Source
from pipeline.sources.source_kind import source_kind
from pipeline.sources.source_root import canonical_uri, require_root
from pipeline.sources.source_settings import SourceSettings
from pipeline.sources.table_source import TableSource
from pipeline.sources.webdataset_source import WebdatasetSource

_SOURCES: dict[str, Callable[[str, SourceSettings], Source]] = {
    "folder": FolderSource,
    "table": TableSource,
    "webdataset": WebdatasetSource,
    "idx": IdxSource,
    "cifar10": Cifar10Source,
}


def open_source(settings: SourceSettings) -> Source:
    """The source at `settings.uri`, of the kind named there or, for "auto", of the kind its files have.

    Raises `SourceNotFound` when nothing is there, `UsageError` for a setting that does not fit the kind, `StorageError`
    when the store does not answer. Whether there is anything to encode is known when the tasks are listed.
    """
    uri = canonical_uri(settings.uri)
    require_root(uri)
    kind = source_kind(uri) if settings.kind == "auto" else settings.kind
    return _SOURCES[kind](uri, settings)
