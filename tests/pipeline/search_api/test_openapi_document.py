"""The OpenAPI document says what the service does: schemathesis asks what the document allows, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from pipeline.object_store.open_store import open_store
from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.index_changes import ChangeResult, IndexChanges
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.pipeline.search_api.running_service import RunningService, running_service
from tests.pipeline.search_api.served_pictures import INDEX, make_served_catalog

NUM_OPERATIONS = 17
# The GETs: they take nothing, or text in their path, which cannot break the document.
NUM_WITHOUT_INPUT = 9
_SETTINGS = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    catalog = make_served_catalog(str(tmp_path_factory.mktemp("catalog"))).catalog
    aliases = IndexCatalog(catalog, open_store(catalog))
    changes = IndexChanges(
        delete=lambda index, ids, keys: ChangeResult(
            index=index,
            generation=aliases.resolve(index, "live").generation,
            num_deleted=0,
            not_found=(*map(str, ids), *keys),
        ),
        set_alias=lambda *names: aliases.point_alias(*names).generation,
        rollback_alias=lambda *names: aliases.rollback_alias(*names).generation,
    )
    with running_service(catalog, INDEX, changes=changes) as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("named", [False, True], ids=["any index", "the served index"])
def test_every_answer_is_documented(running: RunningService, mode: GenerationMode, named: bool) -> None:
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    operations: list[Any] = list(schema.get_all_operations())
    assert len(operations) == NUM_OPERATIONS
    nothing_to_get_wrong = 0
    for operation in operations:
        try:
            _ask_all(operation.ok(), mode, named)
        except Unsatisfiable:
            nothing_to_get_wrong += 1
    assert nothing_to_get_wrong == (NUM_WITHOUT_INPUT if mode is GenerationMode.NEGATIVE else 0)


def _ask_all(operation: Any, mode: GenerationMode, named: bool) -> None:
    """Ask what schemathesis thinks up for one operation; with `named`, of the index that is there: otherwise most
    requests end at its name."""

    @_SETTINGS
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if named and "name" in case.path_parameters:
            case.path_parameters["name"] = INDEX
        if named and mode is GenerationMode.POSITIVE and isinstance(case.body, dict) and "index" in case.body:
            case.body["index"] = INDEX
        response = case.call()
        # A code of another width and an id of no item fit the document, and are refused all the same.
        excluded: list[Any] = [positive_data_acceptance]
        # A head that is too long is refused before anybody looks at what it says; schemathesis knows no such status.
        excluded += [negative_data_rejection] if response.status_code == 431 else []
        case.validate_response(response, excluded_checks=excluded)

    ask()


def test_the_document_is_openapi_3_1(running: RunningService) -> None:
    document: Any = running.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()
    assert "security" not in document


def test_nothing_loads_scripts_from_elsewhere(running: RunningService) -> None:
    assert {running.get(path).status for path in ("/docs", "/redoc")} == {404}


def test_with_keys_the_document_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    catalog = make_served_catalog(str(tmp_path_factory.mktemp("catalog"))).catalog
    keys, key = ApiKeys().with_new("reader", "read")
    with running_service(catalog, INDEX, keys=keys) as running:
        assert running.get("/openapi.json").status == 401
        document = running.get("/openapi.json", {"Authorization": f"Bearer {key}"}).json()
    assert document["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
