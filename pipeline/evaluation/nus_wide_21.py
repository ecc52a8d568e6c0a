"""The `nus-wide-21` protocols: photographs with several of the 21 most frequent concepts."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation.class_split import ClassSplit
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.picture_files import picture_files
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol

IMAGE_LIST = "ImageList/Imagelist.txt"
LABELS_FOLDER = "Groundtruth/AllLabels"
PICTURES_FOLDER = "Flickr"
NUM_CONCEPTS = 21
_HOME = "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html"


class NusWide21(RetrievalProtocol):
    """Chua et al., CIVR 2009: the pictures that have at least one of the 21 concepts with most pictures.

    `data_dir` holds `ImageList/Imagelist.txt` (a path per line), `Groundtruth/AllLabels/Labels_<concept>.txt` (0 or 1
    per line, in the same order) and the pictures below `Flickr/`; `seed` draws the split. Results on the 81 concepts,
    or on NUS-WIDE-m, are not comparable.
    """

    name: ClassVar[str] = "nus-wide-21"
    summary: ClassVar[str] = (
        "queries: 100 of each of the 21 most frequent concepts; database and training set: the others; "
        "relevant: at least one concept in common; headline: ap_all; many papers give map_at_5000"
    )
    headline_metric: ClassVar[str] = "ap_all"
    cutoffs: ClassVar[tuple[int, ...]] = (10, 100, 1000, 5000)
    num_pictures: ClassVar[int] = 195_834
    split: ClassVar[ClassSplit] = ClassSplit(queries_per_class=100)

    def __init__(self, data_dir: str | None, seed: int) -> None:
        self._folder = None if data_dir is None else Path(data_dir)
        self._seed = seed

    def load(self) -> ProtocolData:
        """Raises `UsageError` when files are missing, `CorruptFile` when they are not what they should be."""
        wanted = (IMAGE_LIST, LABELS_FOLDER, PICTURES_FOLDER)
        missing = [name for name in wanted if self._folder is None or not (self._folder / name).exists()]
        if self._folder is None or missing:
            raise UsageError(
                f"the protocol {self.name} needs {', '.join(missing)}; get the image list, the concept labels and the "
                f"pictures from {_HOME}, unpack them into one folder, and give it with --data-dir"
            )
        return self.split.of(self._pictures(self._folder), self._seed)

    def _pictures(self, folder: Path) -> LabelledPictures:
        paths = [line.replace("\\", "/").strip() for line in (folder / IMAGE_LIST).read_text().splitlines()]
        names, has_concept = _frequent_concepts(folder / LABELS_FOLDER, len(paths))
        rows = np.flatnonzero(has_concept.any(axis=1)).tolist()
        absent = sum(not (folder / PICTURES_FOLDER / paths[row]).is_file() for row in rows)
        if len(rows) != self.num_pictures or absent:
            wrong = f"{len(rows):,} pictures with a concept, {self.num_pictures:,} expected; {absent:,} files missing"
            raise CorruptFile(str(folder), wrong, "fewer pictures are another data set: complete it")
        labels = (tuple(name for name, has in zip(names, has_concept[row], strict=True) if has) for row in rows)
        return picture_files(folder / PICTURES_FOLDER, zip((paths[row] for row in rows), labels, strict=True))


class NusWide21Supervised(NusWide21):
    """The split of supervised papers: fewer pictures are learned from."""

    name: ClassVar[str] = "nus-wide-21-supervised"
    summary: ClassVar[str] = (
        "queries: 100 of each of the 21 most frequent concepts; database: the others; training set: 500 of each "
        "concept of it; relevant: at least one concept in common; headline: map_at_5000 (AP@5000/hits)"
    )
    headline_metric: ClassVar[str] = "map_at_5000"
    split: ClassVar[ClassSplit] = ClassSplit(queries_per_class=100, training_per_class=500)


def _frequent_concepts(folder: Path, num_pictures: int) -> tuple[list[str], NDArray[np.bool_]]:
    """Names of the most frequent concepts, and which pictures have them: bool `(num_pictures, NUM_CONCEPTS)`."""
    columns = {file.stem.removeprefix("Labels_"): _labels(file, num_pictures) for file in folder.glob("Labels_*.txt")}
    frequent = sorted(columns, key=lambda name: (-int(columns[name].sum()), name))[:NUM_CONCEPTS]
    if len(frequent) < NUM_CONCEPTS:
        raise CorruptFile(str(folder), f"{len(frequent)} files Labels_<concept>.txt", "unpack the labels again")
    names = sorted(frequent)
    return names, np.stack([columns[name] for name in names], axis=1)


def _labels(file: Path, num_pictures: int) -> NDArray[np.bool_]:
    words = file.read_text(encoding="ascii", errors="replace").split()
    if len(words) != num_pictures or not set(words) <= {"0", "1"}:
        wrong = f"{len(words):,} labels, expected {num_pictures:,}, each 0 or 1"
        raise CorruptFile(str(file), wrong, "unpack the labels again")
    has: NDArray[np.bool_] = np.array(words) == "1"
    return has
