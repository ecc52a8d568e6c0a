"""ray_cluster.yaml against Ray's own schema, and against what the project needs of a cluster."""

import copy
import importlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_ROOT / "ray_cluster.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    folder = Path(importlib.import_module("ray.autoscaler").__file__ or "").parent
    loaded: dict[str, Any] = json.loads((folder / "ray-schema.json").read_text(encoding="utf-8"))
    return loaded


def test_the_file_fits_the_schema(cluster: dict[str, Any], schema: dict[str, Any]) -> None:
    jsonschema.validate(cluster, schema)


def test_the_schema_catches_a_misspelt_key(cluster: dict[str, Any], schema: dict[str, Any]) -> None:
    cluster["available_node_types"]["encoder_gpu"]["max_worker"] = 1
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        jsonschema.validate(cluster, schema)


def test_the_launcher_accepts_the_file_with_its_defaults(cluster: dict[str, Any]) -> None:
    launcher = importlib.import_module("ray.autoscaler._private.util")
    prepared = launcher.prepare_config(copy.deepcopy(cluster))
    launcher.validate_config(prepared)
    assert prepared["setup_commands"] == []


def test_the_head_offers_no_cpus_and_no_gpus(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert any("--head" in command and "--num-cpus=0" in command for command in cluster["head_start_ray_commands"])


def test_only_the_encoder_group_has_gpus_and_every_other_worker_has_cpus(cluster: dict[str, Any]) -> None:
    workers = {
        name: group for name, group in cluster["available_node_types"].items() if name != cluster["head_node_type"]
    }
    assert set(workers) == {"encoder_gpu", "decoder_cpu", "searcher_cpu"}
    assert [name for name, group in workers.items() if group["resources"].get("GPU", 0)] == ["encoder_gpu"]
    assert all(group["resources"]["CPU"] >= 1 for group in workers.values())
    assert sum(group["max_workers"] for group in workers.values()) <= cluster["max_workers"]


def test_token_authentication_is_on_everywhere(cluster: dict[str, Any]) -> None:
    starts = [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in command for command in starts if "ray start" in command)
    assert "~/.ray/auth_token" in cluster["file_mounts"]
    assert "disabled" not in json.dumps(cluster)
    assert "--dashboard-host=0.0.0.0" not in json.dumps(cluster)


def test_the_images_are_those_we_have_a_file_for(cluster: dict[str, Any]) -> None:
    images = {cluster["docker"]["image"]}
    for group in cluster["available_node_types"].values():
        images |= {group["docker"]["worker_image"]} if "docker" in group else set()
    names = {
        image.rpartition("/")[2].partition(":")[0].removeprefix("bitquarry-").replace("-", "_") for image in images
    }
    assert names == {path.stem for path in (_ROOT / "deploy" / "images").glob("*.Dockerfile")}
