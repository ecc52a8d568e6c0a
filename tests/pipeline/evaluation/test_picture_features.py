import numpy as np
import pytest

from operators.features.pixel_features import PixelFeatures
from pipeline.errors import UsageError
from pipeline.evaluation import picture_features
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.picture_features import extract_features
from tests.pipeline.evaluation.small_evaluation import png


def _pictures(data: list[bytes]) -> LabelledPictures:
    keys = tuple(map(str, range(len(data))))
    return LabelledPictures(keys=keys, labels=tuple((key,) for key in keys), read=data.__getitem__)


def test_unreadable_pictures_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_features, "_BLOCK_PICTURES", 2)
    extractor = PixelFeatures(side=4)
    data = [b"broken", b"broken", png(10), b"broken", png(200)]
    extracted = extract_features(_pictures(data), extractor)
    assert extracted.num_rejected == 3
    assert extracted.pictures.keys == ("2", "4")
    alone = [extract_features(_pictures([png(shade)]), extractor).features[0] for shade in (10, 200)]
    assert np.array_equal(extracted.features, np.stack(alone))


def test_nothing_readable_is_an_error() -> None:
    with pytest.raises(UsageError, match="none of 2 pictures can be decoded"):
        extract_features(_pictures([b"broken", b""]), PixelFeatures(side=4))
