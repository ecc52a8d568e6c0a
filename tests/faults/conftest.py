"""The corpus that fault tests share: training and the undisturbed run take their time once."""

from __future__ import annotations

import pytest

from tests.faults.encode_corpus import EncodeCorpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> EncodeCorpus:
    return EncodeCorpus(tmp_path_factory.mktemp("faults"))
