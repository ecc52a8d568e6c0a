"""The `sun-397` protocol: scenes of 397 classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation.class_split import ClassSplit
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.picture_files import picture_files
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol

CLASS_LIST = "ClassName.txt"
_HOME = "https://vision.princeton.edu/projects/2010/SUN/"


class Sun397(RetrievalProtocol):
    """Xiao, Hays, Ehinger, Oliva and Torralba, CVPR 2010. `data_dir` is the folder SUN397 as it is unpacked, with
    `ClassName.txt` (lines as `/a/abbey`) and the pictures in folders of those names; `seed` draws the split."""

    name: ClassVar[str] = "sun-397"
    summary: ClassVar[str] = (
        "queries: 20 of each class; database and training set: the others; relevant: same class; headline: ap_all"
    )
    headline_metric: ClassVar[str] = "ap_all"
    num_pictures: ClassVar[int] = 108_754
    split: ClassVar[ClassSplit] = ClassSplit(queries_per_class=20)

    def __init__(self, data_dir: str | None, seed: int) -> None:
        self._folder = None if data_dir is None else Path(data_dir)
        self._seed = seed

    def load(self) -> ProtocolData:
        """Raises `UsageError` when files are missing, `CorruptFile` when they are not what they should be."""
        folder = self._folder
        if folder is None or not (folder / CLASS_LIST).is_file():
            raise UsageError(
                f"the protocol {self.name} needs {CLASS_LIST} and the folders of pictures that it names; unpack "
                f"SUN397.tar.gz from {_HOME} and give its folder SUN397 with --data-dir"
            )
        pictures = _pictures(folder)
        if len(pictures) != self.num_pictures:
            wrong = f"{len(pictures):,} pictures in the folders of {CLASS_LIST}, {self.num_pictures:,} expected"
            raise CorruptFile(str(folder), wrong, f"unpack SUN397.tar.gz from {_HOME} again")
        return self.split.of(pictures, self._seed)


def _pictures(folder: Path) -> LabelledPictures:
    """The pictures of every listed class. A class may lie inside another one's folder: only its own files count."""
    lines = (folder / CLASS_LIST).read_text(encoding="utf-8").split()
    names = sorted(line.strip("/") for line in lines)
    return picture_files(
        folder,
        (
            (path.relative_to(folder).as_posix(), (name.partition("/")[2],))
            for name in names
            for path in sorted((folder / name).glob("*.jpg"))
        ),
    )
