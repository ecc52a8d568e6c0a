"""Alert rules, dashboard and Prometheus configuration: valid, tested, and about metrics that the service has."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline.search_api.service_metrics import ServiceMetrics
from tests.pipeline.search_api.metric_samples import promtool

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))

# Not the service's own: Prometheus adds `up`, the process's memory is only there on Linux.
_FOREIGN = {"up", "process_resident_memory_bytes"}


def _promtool(*arguments: str | Path) -> str:
    checked = subprocess.run([promtool(), *map(str, arguments)], capture_output=True, text=True, check=False)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0, said
    return said


def _dashboard_expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (note["expr"] for note in DASHBOARD["annotations"]["list"])


def _expressions() -> list[str]:
    return [rule["expr"] for rule in RULES] + list(_dashboard_expressions())


def _exported_names() -> set[str]:
    """Sample names, as queries see them."""
    families = list(text_string_to_metric_families(ServiceMetrics().render()[0].decode()))
    names: set[str] = set()
    for family in families:
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names.update(family.name + suffix for suffix in suffixes)
    return names


def test_promtool_accepts_rules_and_configuration() -> None:
    assert "7 rules found" in _promtool("check", "rules", FOLDER / "alerts.yaml")
    _promtool("check", "config", FOLDER / "prometheus.yaml")


def test_each_alert_fires_when_it_must_and_only_then() -> None:
    _promtool("test", "rules", FOLDER / "alerts_test.yaml")
    tested = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text(encoding="utf-8"))["tests"]
    fired = {case["alertname"] for test in tested for case in test["alert_rule_test"] if case.get("exp_alerts")}
    quiet = {case["alertname"] for test in tested for case in test["alert_rule_test"] if not case.get("exp_alerts")}
    assert fired == quiet == {rule["alert"] for rule in RULES}


def test_the_rule_tests_can_fail(tmp_path: Path) -> None:
    for name in ("alerts.yaml", "alerts_test.yaml"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("bitquarry_index_ready == 0", "bitquarry_index_ready == 2"))
    finished = subprocess.run(
        [promtool(), "test", "rules", str(tmp_path / "alerts_test.yaml")], capture_output=True, text=True, check=False
    )
    assert finished.returncode != 0
    assert "BitquarryIndexNotReady" in finished.stdout + finished.stderr


@pytest.mark.parametrize("expression", _expressions())
def test_expressions_ask_for_metrics_that_the_service_has(expression: str) -> None:
    names = set(re.findall(r"\b((?:bitquarry|process)_[a-z_]+)(?=[{\[ )]|$)", expression)) | (
        {"up"} if expression.startswith("up{") else set()
    )
    assert names
    assert names <= _exported_names() | _FOREIGN


def test_promtool_can_read_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    known = {"$__rate_interval": "5m", "$instance": "a", "$index": "photos"}
    rules = []
    for number, expression in enumerate(_dashboard_expressions()):
        for variable, value in known.items():
            expression = expression.replace(variable, value)
        assert "$" not in expression
        rules.append({"record": f"panel:{number}", "expr": expression})
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    _promtool("check", "rules", tmp_path / "panels.yaml")


def test_the_dashboard_has_no_panel_on_another_and_a_word_for_each() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert panel["title"], panel
        assert panel["description"], panel
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
