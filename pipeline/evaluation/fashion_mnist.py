"""The `fashion-mnist` protocol: 10,000 test pictures look for the 60,000 training pictures of their class."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from operators.features.feature_extractor import Json
from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol
from pipeline.evaluation.source_pictures import source_pictures

DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
PICTURE_SIDE = 28
# Published results do not give their HOG settings. Of 4 to 9 orientations, tried with 1,000 training pictures as
# queries to the other 59,000, LSH does best with 4 (16 tables of 16 bits: mAP@10 0.73 with 4, 0.70 with 6, 0.67 with
# 9); ITQ hardly cares (64 bits: 0.78 with 4, 0.78 with 9).
HOG_ORIENTATIONS = 4
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_DATABASE_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_QUERY_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class FashionMnist(RetrievalProtocol):
    """Xiao, Rasul and Vollgraf, arXiv:1708.07747. `data_dir` holds the four IDX files, gzipped or not; without it they
    are looked for where the Debian package puts them."""

    name: ClassVar[str] = "fashion-mnist"
    summary: ClassVar[str] = (
        "queries: the 10,000 test pictures; database and training set: the 60,000 training pictures; "
        "relevant: same class; headline: map_at_10 (AP@10/hits)"
    )

    def __init__(self, data_dir: str | None = None) -> None:
        self._folder = DEBIAN_FOLDER if data_dir is None else Path(data_dir)

    def feature_settings(self, features: str) -> dict[str, Json]:
        """HOG and pixels at the pictures' own 28 x 28; HOG with `HOG_ORIENTATIONS`, pixels gray, as they are."""
        own: dict[str, dict[str, Json]] = {
            "hog": {"side": PICTURE_SIDE, "num_orientations": HOG_ORIENTATIONS},
            "hog-pixels": {"side": PICTURE_SIDE, "num_orientations": HOG_ORIENTATIONS, "gray": True},
            "pixels": {"side": PICTURE_SIDE, "gray": True},
        }
        return own.get(features, {})

    def load(self) -> ProtocolData:
        """Raises `UsageError` when files are missing, `CorruptFile` when they are not what they should be."""
        found = {name: self._find(name) for name in _DATABASE_FILES + _QUERY_FILES}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise UsageError(
                f"the protocol fashion-mnist needs {', '.join(name + '.gz' for name in missing)} in {self._folder}; "
                f"run: apt install {DEBIAN_PACKAGE} (it puts them into {DEBIAN_FOLDER}), or give the folder that "
                "holds them with --data-dir"
            )
        database, queries = (path for name, path in found.items() if path is not None and "images" in name)
        return ProtocolData(database=_pictures(database, 60_000), queries=_pictures(queries, 10_000))

    def _find(self, name: str) -> Path | None:
        candidates = (self._folder / f"{name}.gz", self._folder / name)
        return next((path for path in candidates if path.is_file()), None)


def _pictures(images: Path, num_expected: int) -> LabelledPictures:
    """Every picture of an IDX file, in order."""
    pictures = source_pictures(str(images), "idx", CLASSES)
    if len(pictures) != num_expected:
        wrong = f"{len(pictures):,} whole pictures with labels, {num_expected:,} expected"
        raise CorruptFile(str(images), wrong, f"install it again: apt install --reinstall {DEBIAN_PACKAGE}")
    return pictures
