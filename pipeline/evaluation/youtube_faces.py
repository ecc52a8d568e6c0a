"""The `youtube-faces` protocol: faces of people who appear in many frames."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.class_split import draw_per_class
from pipeline.evaluation.picture_files import picture_files, picture_keys
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol

_FOLDER = "aligned_images_DB"
_HOME = "https://www.cs.tau.ac.il/~wolf/ytfaces/"


class YoutubeFaces(RetrievalProtocol):
    """Wolf, Hassner and Maoz, CVPR 2011, split as "Discrete Graph Hashing" (Liu et al., NIPS 2014) does. `data_dir` is
    the folder aligned_images_DB, with `<person>/<video>/<frame>.jpg`, or holds it; `seed` draws the queries."""

    name: ClassVar[str] = "youtube-faces"
    summary: ClassVar[str] = (
        "people with at least 500 pictures; queries: 100 of each person with more than 2,000; database and training "
        "set: the others; relevant: same person; headline: ap_all"
    )
    headline_metric: ClassVar[str] = "ap_all"
    min_pictures: ClassVar[int] = 500
    asked_above: ClassVar[int] = 2000
    queries_per_person: ClassVar[int] = 100

    def __init__(self, data_dir: str | None, seed: int) -> None:
        self._folder = None if data_dir is None else Path(data_dir)
        self._seed = seed

    def load(self) -> ProtocolData:
        """Raises `UsageError` when the folder is missing or nobody in it has enough pictures."""
        folder = self._folder
        if folder is not None and (folder / _FOLDER).is_dir():
            folder = folder / _FOLDER
        people: dict[str, list[str]] = defaultdict(list)
        for key in picture_keys(folder) if folder is not None else ():
            people[key.split("/", 1)[0]].append(key)
        kept = {person: keys for person, keys in people.items() if len(keys) >= self.min_pictures}
        asked = {person for person, keys in kept.items() if len(keys) > self.asked_above}
        if folder is None or not asked:
            found = f"in {folder}: {len(people):,} people, none" if folder else "there is nobody"
            raise UsageError(
                f"the protocol {self.name} needs {_FOLDER}/<person>/<video>/<frame>.jpg; {found} with more than "
                f"{self.asked_above:,} pictures; get {_FOLDER} from {_HOME}, unpack it, and give it with --data-dir"
            )
        pictures = picture_files(folder, ((key, (person,)) for person, keys in kept.items() for key in keys))
        candidates = np.flatnonzero([person in asked for (person,) in pictures.labels])
        generator = np.random.default_rng(self._seed)
        queries = draw_per_class(pictures.labels, candidates, self.queries_per_person, generator)
        rest = np.setdiff1d(np.arange(len(pictures)), queries, assume_unique=True)
        return ProtocolData(database=pictures.select(rest), queries=pictures.select(queries))
