"""`bitquarry serve`."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say
from pipeline.errors import MissingExtra

if TYPE_CHECKING:
    from pipeline.jobs.serve_index import ServiceStarted


def serve(
    index: Annotated[
        list[str] | None, typer.Option("--index", "-i", help="Index to serve; may be repeated. Default: all.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option("--alias", "-a", help="Which generation answers; it is followed.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; any but loopback needs --keys.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="0 takes a free one.", min=0, max=65535)] = None,
    keys: Annotated[Path | None, typer.Option("--keys", help="Key file, made by `bitquarry keys add`.")] = None,
    searchers: options.NumSearchers = None,
    replicas: Annotated[int | None, typer.Option("--replicas", help="Ray actors per searcher.", min=1)] = None,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Answer queries over HTTP, and show a page to search with, until Ctrl-C. Changes of the index are followed."""
    settings = options.settings_from(
        config,
        catalog=catalog,
        search__num_searchers=searchers,
        serve__alias=alias,
        serve__host=host,
        serve__port=port,
        serve__keys_file=str(keys) if keys is not None else None,
        serve__num_replicas=replicas,
    )
    try:
        from pipeline.jobs.serve_index import serve_index
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "serve") from None
    with ExitStack() as stack:
        if settings.search.num_searchers:
            from pipeline.actors.ray_session import ray_session

            stack.enter_context(ray_session(settings.ray))
        serve_index(options.catalog_of(settings), index or (), settings, _say_json if as_json else _say_text)
    return EXIT_OK


def _say_json(started: ServiceStarted) -> None:
    say(json.dumps(asdict(started)))
    sys.stdout.flush()


def _say_text(started: ServiceStarted) -> None:
    asked = "with a key" if started.with_keys else "without a key, from this machine only"
    say(f"serving {', '.join(started.indexes)} at {started.address} ({asked}); Ctrl-C ends it")
    for index, trouble in started.troubles.items():
        say(f"index {index} is not ready: {trouble}")
    sys.stdout.flush()
