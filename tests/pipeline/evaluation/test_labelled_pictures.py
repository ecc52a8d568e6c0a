import numpy as np
import pytest

from pipeline.evaluation.labelled_pictures import LabelledPictures


def test_selected_pictures_keep_key_label_and_bytes_together() -> None:
    pictures = LabelledPictures(
        keys=("a", "b", "c"), labels=(("x",), ("y",), ("z",)), read=lambda row: b"picture %d" % row
    )
    chosen = pictures.select(np.array([2, 0])).select(np.array([1, 0]))
    assert chosen.keys == ("a", "c")
    assert chosen.labels == (("x",), ("z",))
    assert [chosen.read(row) for row in range(2)] == [b"picture 0", b"picture 2"]


def test_keys_and_labels_must_pair_up() -> None:
    with pytest.raises(ValueError, match="1 keys and 0 labels"):
        LabelledPictures(keys=("a",), labels=(), read=lambda _: b"")
