"""What is told of an index while shards fail and items are deleted."""

from __future__ import annotations

from pathlib import Path

from pipeline.jobs.delete_items import delete_items
from tests.pipeline.routing.port_examples import CALLS, fails, replace_calls
from tests.pipeline.search_api.running_service import running_service, wait_until
from tests.pipeline.search_api.served_pictures import INDEX, make_served_catalog

PATH = f"/v1/indexes/{INDEX}"


def test_columns_are_known_without_the_first_item_or_the_first_shard(tmp_path: Path) -> None:
    catalog = make_served_catalog(str(tmp_path / "catalog"))
    _, ids, _ = catalog.rows()
    with running_service(catalog.catalog, INDEX) as running:
        expected = running.get(PATH).json()["columns"]
        assert expected["label"] == "string"
        generation = delete_items(catalog.catalog, INDEX, ids=[int(ids[0])]).generation
        wait_until(lambda: running.service.indexes[INDEX].status().generation == generation, "the deletion is followed")
        assert running.get(PATH).json()["columns"] == expected
        current = running.service.indexes[INDEX].live._current
        assert current is not None
        first = running.ports[generation][0]
        current.session.router._searchers[first.name] = replace_calls(first, fails, CALLS)
        assert running.get(PATH).json()["columns"] == expected
