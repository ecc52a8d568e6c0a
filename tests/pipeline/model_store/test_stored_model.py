"""Names of models and of their versions."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.model_store.stored_model import StoredModel, check_model_name, parse_model_reference


def test_model_id() -> None:
    assert StoredModel(name="itq32", version=3, fingerprint="f", lineage={}).model_id == "itq32@3"


@pytest.mark.parametrize(
    ("reference", "parsed"), [("itq32", ("itq32", None)), ("itq32@3", ("itq32", 3)), ("a.b_c-1@10", ("a.b_c-1", 10))]
)
def test_references(reference: str, parsed: tuple[str, int | None]) -> None:
    assert parse_model_reference(reference) == parsed


@pytest.mark.parametrize("reference", ["itq32@", "itq32@0", "itq32@x", "itq32@1@2", "itq32@-1", "itq32@1234567890"])
def test_versions_that_are_none(reference: str) -> None:
    with pytest.raises(UsageError, match="expected a name or name@version, for example itq32@3"):
        parse_model_reference(reference)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "ä", "a\n", "x" * 101])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match=r"model name .*: expected up to 100 letters"):
        check_model_name(name)
