"""The `bitquarry` command."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from typing import Annotated

import typer

from pipeline.cli import bench, dedup, delete, demo, encode, evaluate, index, keys, query, rejects, serve, status, train
from pipeline.cli.failures import run_command
from pipeline.cli.names_in_help import NamesInHelp

app = typer.Typer(
    name="bitquarry",
    help="Turn a corpus of pictures into compact binary codes, and search them exactly.\n\n"
    "The usual order: train, encode, index build, query. Each command resumes when it is run again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(importlib.metadata.version("bitquarry"))
        raise typer.Exit


@app.callback()
def _bitquarry(
    # Eager, or the missing command would be complained about first.
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to stderr.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


_START = "Start here"
_WRITE = "Make codes"
_SEARCH = "Search them"
_MEASURE = "Measure and look"
app.command(rich_help_panel=_START)(demo.demo)
app.command(rich_help_panel=_WRITE, cls=NamesInHelp)(train.train)
app.command(rich_help_panel=_WRITE)(encode.plan)
app.command(rich_help_panel=_WRITE)(encode.encode)
app.add_typer(index.index_app, name="index", rich_help_panel=_SEARCH)
app.add_typer(index.alias_app, name="alias", rich_help_panel=_SEARCH)
app.command(rich_help_panel=_SEARCH)(query.query)
app.command(rich_help_panel=_SEARCH)(query.search_batch)
app.command(rich_help_panel=_SEARCH)(serve.serve)
app.command(rich_help_panel=_SEARCH)(dedup.dedup)
app.command(rich_help_panel=_SEARCH)(delete.delete)
app.add_typer(keys.keys_app, name="keys", rich_help_panel=_SEARCH)
app.command(rich_help_panel=_MEASURE)(evaluate.evaluate)
app.command(rich_help_panel=_MEASURE)(status.status)
app.command(rich_help_panel=_MEASURE)(rejects.rejects)
app.add_typer(bench.bench_app, name="bench", rich_help_panel=_MEASURE)


def main() -> None:
    """Entry point of the `bitquarry` script."""
    command = typer.main.get_command(app)
    sys.exit(run_command(lambda: command.main(prog_name="bitquarry", standalone_mode=False)))


if __name__ == "__main__":
    main()
