"""The `folder` protocol: any folder that holds one folder of pictures per class."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.picture_files import picture_files, picture_keys
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol

_LAYOUT = "expected <folder>/<class>/<picture>.jpg (or png, gif, webp, avif, bmp), at least two pictures per class"


class ClassFolder(RetrievalProtocol):
    """The class of a picture is the name of the first folder below `data_dir`. One picture in ten of each class (at
    least one), drawn with `seed`, is a query; the others are the database. A class of one picture gives no query."""

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = (
        "queries: a seeded tenth of each class; database and training set: the others; relevant: same class folder; "
        "headline: map_at_10 (AP@10/hits)"
    )
    one_query_in: ClassVar[int] = 10

    def __init__(self, data_dir: str | None, seed: int) -> None:
        if data_dir is None:
            raise UsageError("the protocol folder needs a folder of class folders; give it with --data-dir")
        self._folder = Path(data_dir)
        self._seed = seed

    def load(self) -> ProtocolData:
        """Raises `UsageError` when the folder is missing or its layout gives no query."""
        if not self._folder.is_dir():
            raise UsageError(f"{self._folder}: no such folder; {_LAYOUT}")
        keys = picture_keys(self._folder)
        query_keys = self._draw_queries(keys)
        if not query_keys:
            raise UsageError(f"{self._folder} holds {len(keys)} pictures in class folders; {_LAYOUT}")
        return ProtocolData(
            database=self._pictures([key for key in keys if key not in query_keys]),
            queries=self._pictures([key for key in keys if key in query_keys]),
        )

    def _draw_queries(self, keys: list[str]) -> frozenset[str]:
        classes: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            classes[_class_of(key)].append(key)
        generator = np.random.default_rng(self._seed)
        drawn: list[str] = []
        for members in classes.values():
            num_queries = max(1, len(members) // self.one_query_in) if len(members) > 1 else 0
            drawn += [members[row] for row in generator.permutation(len(members))[:num_queries]]
        return frozenset(drawn)

    def _pictures(self, keys: list[str]) -> LabelledPictures:
        return picture_files(self._folder, ((key, (_class_of(key),)) for key in keys))


def _class_of(key: str) -> str:
    return key.split("/", 1)[0]
