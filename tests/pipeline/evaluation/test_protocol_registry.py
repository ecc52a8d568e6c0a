from pathlib import Path

import pytest

from pipeline.errors import UnknownName
from pipeline.evaluation.protocol_registry import create_protocol, protocol_names


def test_every_name_creates_the_protocol_of_that_name(tmp_path: Path) -> None:
    for name in protocol_names():
        assert create_protocol(name, data_dir=str(tmp_path), seed=0).name == name


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="no protocol named 'mnist'; known: fashion-mnist, folder"):
        create_protocol("mnist", data_dir=None, seed=0)
