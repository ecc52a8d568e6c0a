"""Old generations are removed while a service answers: no error, and as many rollbacks as were promised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.object_store.open_store import open_store
from pipeline.shard_index.generation_pruning import PruningRule, plan_pruning, prune
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.faults.served_answers import INDEX, ServedAnswers
from tests.served_command import QueryLoad, served_command, wait_until

NUM_CHANGES = 8
ROLLBACK = {"index": INDEX, "alias": "live", "rollback": True}


def prune_all_but(answers: ServedAnswers, num_rollbacks: int) -> tuple[str, ...]:
    """The generations that are left."""
    catalog = str(answers.catalog)
    store = open_store(catalog)
    prune(store, catalog, plan_pruning(store, catalog, INDEX, PruningRule(num_rollbacks=num_rollbacks, grace_hours=0)))
    return IndexCatalog(catalog, store).generations(INDEX)


@pytest.mark.parametrize("searchers", ["0", "2"])
def test_generations_are_pruned_under_load(tmp_path: Path, searchers: str) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text("serve: {refresh_seconds: 0.05}\n", encoding="utf-8")
    answers = ServedAnswers(tmp_path / "catalog")
    (older,) = answers.generations
    with served_command(answers.catalog, "--config", config, "--searchers", searchers) as served:
        with QueryLoad(served, answers.path, answers.bodies()) as load:

            def followed(generation: str, change: Any = None) -> None:
                if change is not None:
                    assert served.ask("POST", "/v1/aliases", change).status == 200
                before = len(load.replies)
                wait_until(lambda: answered_from(load, before, generation), "the alias is followed")

            followed(older)
            for _ in range(NUM_CHANGES):
                newer = answers.add_generation()
                followed(newer)
                assert prune_all_but(answers, num_rollbacks=1) == (older, newer)
                followed(older, ROLLBACK)
                followed(newer, {"index": INDEX, "alias": "live", "generation": newer})
                older = newer
            # What the rule does not keep cannot be returned to, and the service says so and goes on.
            assert prune_all_but(answers, num_rollbacks=0) == (newer,)
            refused = served.ask("POST", "/v1/aliases", ROLLBACK)
            assert (refused.status, "no generation named" in refused.content["detail"]) == (404, True)
            load.wait_for_more()
        assert load.broken == []
        for number, reply in load.replies:
            assert reply.status == 200, reply.content
            answers.check(number, reply.content)
        assert served.get("/readyz")["ready"]
        assert served.stop() == 0


def answered_from(load: QueryLoad, first: int, generation: str) -> bool:
    return any(reply.content["generation"] == generation for _, reply in load.replies[first:] if reply.status == 200)
