from pathlib import Path

import pytest

from pipeline.errors import UnknownName, UsageError
from pipeline.evaluation.metric_catalog import headline_metrics
from pipeline.evaluation.protocol_registry import create_protocol, protocol_names


def test_every_name_creates_the_protocol_of_that_name(tmp_path: Path) -> None:
    for name in protocol_names():
        assert create_protocol(name, data_dir=str(tmp_path), seed=0).name == name


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="no protocol named 'mnist'; known: fashion-mnist, cifar10-a"):
        create_protocol("mnist", data_dir=None, seed=0)


@pytest.mark.parametrize("name", protocol_names())
def test_absent_files_are_an_error_that_helps(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        create_protocol(name, data_dir=str(tmp_path / "nowhere"), seed=0).load()
    message = str(caught.value)
    assert "nowhere" in message or "--data-dir" in message
    if name not in ("fashion-mnist", "folder"):
        assert name in message
        assert "https://" in message


@pytest.mark.parametrize("name", protocol_names())
def test_the_headline_metric_is_measured(name: str, tmp_path: Path) -> None:
    protocol = create_protocol(name, data_dir=str(tmp_path), seed=0)
    assert protocol.headline_metric in {metric.name for metric in headline_metrics(protocol.cutoffs)}
    assert protocol.headline_metric in protocol.summary
