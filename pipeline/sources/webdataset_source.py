"""Pictures in tars, by the WebDataset convention; the tars are read through, never extracted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline.errors import EmptySource, SourceError, UsageError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.container_file import open_stream
from pipeline.sources.fetch_fault import FetchFault, version_fault
from pipeline.sources.file_listing import list_files
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.media_uri import object_uri, part_uri, quote_fragment
from pipeline.sources.source import Source, SourceTask
from pipeline.sources.source_settings import SourceSettings, refuse_columns
from pipeline.sources.tar_reader import DamagedTar, TarReader
from pipeline.sources.task_digest import task_digest
from pipeline.sources.task_part import TaskPart
from pipeline.sources.webdataset_columns import (
    JSON_SIBLING,
    TEXT_SIBLINGS,
    BadMetadata,
    WebdatasetColumns,
    known_names,
)
from pipeline.sources.webdataset_samples import Sample, TarPicture, iter_samples

TAR_EXTENSIONS = (".tar", ".tar.gz", ".tgz")
DAMAGED_TAR = "damaged_tar"

# Columns are looked for in this many samples of the first tar: fields of JSON may be missing in some.
_NUM_SAMPLES_CHECKED = 100


@dataclass(frozen=True, kw_only=True)
class TarPart(TaskPart):
    """One tar. Items are its picture members, in order; a damaged tar ends with one more record that names it."""

    tar: ListedItem
    columns: WebdatasetColumns

    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        return islice(self._records(max_bytes), start, None)

    def _records(self, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        fault = version_fault(self.tar.uri, self.tar.etag)
        if fault is not None:
            yield fault.failed(self.tar.key, object_uri(self.tar.uri))
            return
        try:
            yield from self._members(max_bytes)
        except DamagedTar as error:
            fault = FetchFault(DAMAGED_TAR, f"{self.tar.uri}: {error}")
        if version_fault(self.tar.uri, self.tar.etag) is not None:
            raise SourceError(f"{self.tar.uri}: changed while it was read; run the command again")
        if fault is not None:
            yield fault.failed(self.tar.key, object_uri(self.tar.uri))

    def _members(self, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        seen: set[str] = set()
        with open_stream(self.tar.uri) as stream:
            for sample in iter_samples(TarReader(stream), siblings=self.columns.siblings, max_bytes=max_bytes):
                for picture in sample.pictures:
                    yield self._record(picture, sample, is_repeated=picture.name in seen)
                    seen.add(picture.name)

    def _record(self, picture: TarPicture, sample: Sample, *, is_repeated: bool) -> FetchedItem | FailedItem:
        fragment = quote_fragment(picture.name)
        key, uri = part_uri(self.tar.key, fragment), part_uri(self.tar.uri, fragment)
        data = picture.data
        if is_repeated:
            data = FetchFault("duplicate_key", "the tar holds this name twice; the first one is used")
        if isinstance(data, FetchFault):
            return data.failed(key, uri)
        try:
            label, carried = self.columns.values(sample.texts)
        except BadMetadata as error:
            return FetchFault("bad_metadata", str(error)).failed(key, uri)
        if sample.fault:
            return FetchFault("bad_metadata", sample.fault).failed(key, uri)
        return FetchedItem(key=key, uri=uri, data=data, etag=self.tar.etag, label=label, carried=carried)


class WebdatasetSource(Source):
    """Every `.tar`, `.tar.gz` and `.tgz` below a folder or prefix, or one tar. Each is one task."""

    def __init__(self, uri: str, settings: SourceSettings) -> None:
        refuse_columns(settings, "a tar", allowed=("label_column", "carry"))
        self._uri = uri
        self._columns = WebdatasetColumns(label=settings.label_column, carry=settings.carry)

    @property
    def uri(self) -> str:
        return self._uri

    def carried_types(self) -> dict[str, str]:
        return dict.fromkeys(self._columns.carry, "string")

    def tasks(self) -> Iterator[SourceTask]:
        """As `Source.tasks`; raises `UsageError` for a column that no sample at the start of the first tar has."""
        num_tars = 0
        for tar in list_files(self._uri):
            if is_tar_name(tar.key):
                if num_tars == 0:
                    _check_columns(tar, self._columns)
                num_tars += 1
                yield self._task(tar)
        if num_tars == 0:
            raise EmptySource(f"{self._uri}: no tars; expected names ending in {', '.join(TAR_EXTENSIONS)}")

    def _task(self, tar: ListedItem) -> SourceTask:
        fields: list[str | int] = [self._columns.label or "", len(self._columns.carry), *self._columns.carry]
        fields += [tar.key, tar.size_bytes, tar.etag]
        return SourceTask(
            source_uri=self._uri,
            digest=task_digest("webdataset", fields),
            num_items=None,
            part=TarPart(tar=tar, columns=self._columns),
        )


def is_tar_name(name: str) -> bool:
    return name.lower().endswith(TAR_EXTENSIONS)


def _check_columns(tar: ListedItem, columns: WebdatasetColumns) -> None:
    if columns.label is None and not columns.carry:
        return
    known: set[str] = set()
    try:
        with open_stream(tar.uri) as stream:
            samples = iter_samples(TarReader(stream), siblings=frozenset((*TEXT_SIBLINGS, JSON_SIBLING)), max_bytes=0)
            for sample in islice(samples, _NUM_SAMPLES_CHECKED):
                known |= known_names(sample.texts)
                if not columns.missing(known):
                    return
    except (DamagedTar, BadMetadata):
        return  # Reading the items will say so, item by item.
    if missing := columns.missing(known):
        raise UsageError(
            f"{tar.uri}: no sample has {', '.join(map(repr, sorted(missing)))}; known: {', '.join(sorted(known))}"
        )
