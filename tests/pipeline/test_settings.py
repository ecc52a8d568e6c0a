"""Settings files: unknown keys, wrong values, precedence."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from pipeline.errors import SettingsError
from pipeline.settings import Settings, load_settings

SHIPPED = sorted((Path(__file__).parents[2] / "deploy" / "settings").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_settings_load_and_differ_from_the_defaults(path: Path) -> None:
    assert load_settings(path) != Settings()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_settings_are_complete(path: Path) -> None:
    assert _keys_left_out(load_settings(path), "") == []


def _keys_left_out(section: BaseModel, name: str) -> list[str]:
    left_out = [f"{name}{key}" for key in type(section).model_fields if key not in section.model_fields_set]
    for key, value in section:
        if isinstance(value, BaseModel):
            left_out += _keys_left_out(value, f"{name}{key}.")
    return left_out


def test_three_settings_files_are_shipped() -> None:
    assert [path.name for path in SHIPPED] == ["cluster.yaml", "laptop.yaml", "one_gpu.yaml"]


def test_flag_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("encode: {device: cpu, batch_items: 7}\n")
    settings = load_settings(path, {"encode.batch_items": 9, "encode.num_encoders": None})
    assert (settings.encode.device, settings.encode.batch_items, settings.encode.num_encoders) == ("cpu", 9, None)
    assert settings.encode.task_attempts == Settings().encode.task_attempts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("encode: {devise: cpu}", r"unknown key 'encode.devise'; did you mean 'device'\?"),
        ("encoed: {}", r"unknown key 'encoed'; did you mean 'encode'\?"),
        ("zzz: 1", r"unknown key 'zzz'; known: catalog, encode"),
        ("encode: {batch_items: 0}", r"encode.batch_items = 0: input should be greater than or equal to 1"),
        ("encode: {device: tpu}", r"encode.device = 'tpu'"),
        ("- a", r"expected sections such as 'encode:', got list"),
        ("encode: [", r"is not valid YAML"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(path)
    assert "wrong.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent.yaml: No such file"):
        load_settings(tmp_path / "absent.yaml")
