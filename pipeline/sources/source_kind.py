"""Which kind of source a URI is, by the names of its files."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from pipeline.errors import UsageError
from pipeline.sources.cifar10_source import is_cifar10_name, is_cifar10_pickle_name
from pipeline.sources.file_listing import list_files
from pipeline.sources.idx_source import is_idx_name
from pipeline.sources.picture_names import is_picture_name
from pipeline.sources.source_root import is_single_file, require_root
from pipeline.sources.source_settings import SOURCE_KINDS
from pipeline.sources.table_files import is_delta_table, is_table_file
from pipeline.sources.webdataset_source import is_tar_name

# As many as one listing request gives.
_NUM_NAMES_LOOKED_AT = 1000

_NAMED_LIKE: dict[str, Callable[[str], bool]] = {
    "table": is_table_file,
    "webdataset": is_tar_name,
    "idx": is_idx_name,
    "cifar10": lambda name: is_cifar10_name(name) or is_cifar10_pickle_name(name),
    "folder": is_picture_name,
}


def source_kind(uri: str) -> str:
    """One of `SOURCE_KINDS`. Looks at the first thousand names; a folder in which nothing is recognized is a folder of
    pictures (and will be found empty).

    Raises `SourceNotFound`, and `UsageError` for a single file of no known kind and for a folder of several kinds.
    """
    require_root(uri)
    if is_single_file(uri):
        return _file_kind(uri)
    if is_delta_table(uri):
        return "table"
    keys = [file.key for file in islice(list_files(uri), _NUM_NAMES_LOOKED_AT)]
    examples = {kind: key for key in reversed(keys) for kind in _kinds_of(key)}
    if len(examples) > 1:
        found = ", ".join(f"{kind} ({key})" for kind, key in sorted(examples.items()))
        raise UsageError(f"{uri} could be read as {found}; say which with the source kind")
    return next(iter(examples), "folder")


def _file_kind(uri: str) -> str:
    kinds = _kinds_of(uri.rpartition("/")[2])
    if not kinds:
        raise UsageError(
            f"{uri}: this file is no source of a known kind ({', '.join(SOURCE_KINDS)}); "
            "expected .parquet, .tar, …images-idx3-ubyte or data_batch_1.bin"
        )
    if kinds == ["folder"]:
        raise UsageError(f"{uri}: this is one picture; give the folder it lies in")
    return kinds[0]


def _kinds_of(key: str) -> list[str]:
    return [kind for kind, is_named_like in _NAMED_LIKE.items() if is_named_like(key)]
