"""The `cifar10-a` … `cifar10-e` protocols: five splits of the same 60,000 pictures that results are published for."""

from __future__ import annotations

from pathlib import Path

from operators.features.feature_extractor import Json
from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation.class_split import ClassSplit
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol
from pipeline.evaluation.source_pictures import source_pictures
from pipeline.sources.cifar10_source import SIDE

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCH_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
NUM_PICTURES = 60_000
_HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"


class Cifar10(RetrievalProtocol):
    """Krizhevsky 2009. `data_dir` holds the six files of the binary version; `seed` draws the split, from training and
    test pictures together. Subclasses are the splits."""

    split: ClassSplit

    def __init__(self, data_dir: str | None, seed: int) -> None:
        self._folder = None if data_dir is None else Path(data_dir)
        self._seed = seed

    def feature_settings(self, features: str) -> dict[str, Json]:
        """HOG and pixels at the pictures' own 32 x 32."""
        own: dict[str, dict[str, Json]] = {name: {"side": SIDE} for name in ("hog", "hog-pixels", "pixels")}
        return own.get(features, {})

    def load(self) -> ProtocolData:
        """Raises `UsageError` when files are missing, `CorruptFile` when they are not what they should be."""
        folder = self._folder
        missing = [name for name in BATCH_FILES if folder is None or not (folder / name).is_file()]
        if folder is None or missing:
            raise UsageError(
                f"the protocol {self.name} needs {', '.join(missing)}; unpack the binary version of CIFAR-10, "
                f"cifar-10-binary.tar.gz from {_HOME}, and give the folder that holds the files with --data-dir "
                "(the Python version is pickled and never read)"
            )
        pictures = source_pictures(str(folder), "cifar10", CLASSES)
        if len(pictures) != NUM_PICTURES:
            wrong = f"{len(pictures):,} whole pictures, {NUM_PICTURES:,} expected"
            raise CorruptFile(str(folder), wrong, f"unpack cifar-10-binary.tar.gz from {_HOME} again")
        return self.split.of(pictures, self._seed)


class Cifar10A(Cifar10):
    """As DVB (Shen, Liu and Shao, BMVC 2017) does: everything that is no query is learned from."""

    name = "cifar10-a"
    summary = (
        "queries: 100 of each class; database and training set: the other 59,000; relevant: same class; "
        "headline: ap_all; DVB also gives precision_at_5000"
    )
    headline_metric = "ap_all"
    cutoffs = (10, 100, 1000, 5000)
    split = ClassSplit(queries_per_class=100)


class Cifar10B(Cifar10):
    """ "cifar10" of DeepHash-pytorch: what is learned from is not searched."""

    name = "cifar10-b"
    summary = (
        "queries: 100 of each class; training set: 500 of each class; database: the other 54,000; "
        "relevant: same class; headline: ap_all"
    )
    headline_metric = "ap_all"
    split = ClassSplit(queries_per_class=100, training_per_class=500, training_apart=True)


class Cifar10C(Cifar10):
    """ "cifar10-1" of DeepHash-pytorch."""

    name = "cifar10-c"
    summary = (
        "queries: 100 of each class; database: the other 59,000; training set: 500 of each class of it; "
        "relevant: same class; headline: ap_all"
    )
    headline_metric = "ap_all"
    split = ClassSplit(queries_per_class=100, training_per_class=500)


class Cifar10D(Cifar10):
    """ "cifar10-2" of DeepHash-pytorch, "(I)" of label-free papers."""

    name = "cifar10-d"
    summary = (
        "queries: 1,000 of each class; database and training set: the other 50,000; relevant: same class; "
        "headline: map_at_1000 (AP@1000/hits); supervised papers give ap_all"
    )
    headline_metric = "map_at_1000"
    split = ClassSplit(queries_per_class=1000)


class Cifar10E(Cifar10):
    """ "(II)" of MeCoQ."""

    name = "cifar10-e"
    summary = (
        "queries: 1,000 of each class; database: the other 50,000; training set: 500 of each class of it; "
        "relevant: same class; headline: map_at_1000 (AP@1000/hits)"
    )
    headline_metric = "map_at_1000"
    split = ClassSplit(queries_per_class=1000, training_per_class=500)


CIFAR10_PROTOCOLS: tuple[type[Cifar10], ...] = (Cifar10A, Cifar10B, Cifar10C, Cifar10D, Cifar10E)
