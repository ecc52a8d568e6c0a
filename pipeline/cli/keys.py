"""`bitquarry keys add|remove|list`: who may ask a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say, table
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.search_api.api_keys import ApiKeys

keys_app = typer.Typer(help="Make, take back and list keys of the search service.", no_args_is_help=True)

KeyFile = Annotated[Path, typer.Option("--file", "-f", help="Key file; it holds digests of keys, never the keys.")]
KeyName = Annotated[str, typer.Option("--name", "-n", help="Whose key it is.")]


@keys_app.command()
def add(
    file: KeyFile,
    name: KeyName,
    right: Annotated[
        str, typer.Option("--right", "-r", help="read, or write: to delete items and change aliases too.")
    ] = "read",
    as_json: options.AsJson = False,
) -> int:
    """Make a key and print it once: it is nowhere kept. The file is made if it is not there."""
    from pipeline.search_api.api_keys import ApiKeys, checked_right

    keys = ApiKeys.read(file) if file.exists() else ApiKeys()
    keys, key = keys.with_new(name, checked_right(right))
    _write(keys, file)
    say(json.dumps({"name": name, "right": right, "key": key}) if as_json else key)
    return EXIT_OK


@keys_app.command()
def remove(file: KeyFile, name: KeyName) -> int:
    """Take a key back. A service that runs takes note when it is started again."""
    from pipeline.search_api.api_keys import ApiKeys

    _write(ApiKeys.read(file).without(name), file)
    say(f"removed {name}")
    return EXIT_OK


@keys_app.command("list")
def list_(file: KeyFile, as_json: options.AsJson = False) -> int:
    """Names and rights of all keys."""
    from pipeline.search_api.api_keys import ApiKeys

    entries = ApiKeys.read(file).entries
    if as_json:
        say(json.dumps([{"name": entry.name, "right": entry.right} for entry in entries]))
    else:
        say(table(("name", "right"), [(entry.name, entry.right) for entry in entries]))
    return EXIT_OK


def _write(keys: ApiKeys, file: Path) -> None:
    try:
        keys.write(file)
    except OSError as error:
        raise UsageError(f"key file {file}: {error.strerror}; give --file a place that can be written") from None
