"""`--help` of every command says what it does and what each option means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from pipeline.cli.app import app
from tests import command_line

ROOT = typer.main.get_command(app)


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, (*path, name))


COMMANDS = dict(walk(ROOT))


def test_the_promised_commands_exist() -> None:
    promised = {"train", "encode", "plan", "query", "search-batch", "evaluate", "status", "demo", "index", "alias"} | {
        "rejects",
        "bench",
        "dedup",
        "delete",
    }
    assert promised <= {path[0] for path in COMMANDS if path}
    assert {("index", name) for name in ("build", "add", "compact", "verify", "list")} <= COMMANDS.keys()
    assert ("alias", "rollback") in COMMANDS


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_is_described(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help, f"{' '.join(path)}: no description"
    assert command.help.strip()[0].isupper()
    silent = [option.opts for option in command.params if not getattr(option, "help", None)]
    assert silent == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_options_are_spelt_alike(path: tuple[str, ...]) -> None:
    """Where two commands share an option's name, its short form is the same."""
    for option in COMMANDS[path].params:
        long = [name for name in option.opts if name.startswith("--")]
        assert long, option.opts
        assert all(name == name.lower() and "_" not in name for name in long)


def test_help_is_printed() -> None:
    shown = command_line.run("encode", "--help")
    assert "Encode a source into a collection" in shown
    assert "--collection" in shown
    assert shown == command_line.run("encode", "-h")


def test_version_is_printed() -> None:
    assert command_line.run("--version").strip()[0].isdigit()
