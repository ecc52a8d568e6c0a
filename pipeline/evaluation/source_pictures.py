"""Every picture of a source of arrays with class numbers, held in memory."""

from __future__ import annotations

from collections.abc import Sequence

from operators.decoders.image_decoder import DecodeLimits
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.records import FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings


def source_pictures(uri: str, kind: str, class_names: Sequence[str]) -> LabelledPictures:
    """Pictures of the source `uri` of that `kind`, in its order (2 to 3 kB each); what is damaged or has no label is
    left out. Labels are `class_names` by number. Raises what `open_source` and its tasks raise."""
    settings = SourceSettings(uri=uri, kind=kind)
    items = [
        item
        for task in open_source(settings).tasks()
        for item in read_items(task, max_bytes=DecodeLimits().max_bytes)
        if isinstance(item, FetchedItem) and item.label is not None
    ]
    return LabelledPictures(
        keys=tuple(item.key for item in items),
        labels=tuple((class_names[int(item.label or 0)],) for item in items),
        read=lambda row: items[row].data,
    )
