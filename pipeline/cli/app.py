"""The `bitquarry` command."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from typing import Annotated

import typer

from pipeline.cli import encode, train
from pipeline.cli.failures import run_command

app = typer.Typer(
    name="bitquarry",
    help="Turn a corpus of pictures into compact binary codes, and search them exactly.\n\n"
    "The usual order: train, encode, index build, query. Each command resumes when it is run again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _bitquarry(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to stderr.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    if version:
        typer.echo(importlib.metadata.version("bitquarry"))
        raise typer.Exit


_WRITE = "Make codes"
app.command(rich_help_panel=_WRITE)(train.train)
app.command(rich_help_panel=_WRITE)(encode.plan)
app.command(rich_help_panel=_WRITE)(encode.encode)


def main() -> None:
    """Entry point of the `bitquarry` script."""
    command = typer.main.get_command(app)
    sys.exit(run_command(lambda: command.main(standalone_mode=False)))


if __name__ == "__main__":
    main()
