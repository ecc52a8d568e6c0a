"""`bitquarry rejects`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say


def rejects(
    collection: options.CollectionName,
    reason: Annotated[str | None, typer.Option("--reason", help="Only rejects with this reason.")] = None,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """List the items of a collection that could not be encoded, with the reason."""
    from pipeline.jobs.list_rejects import list_rejects

    catalog_uri = options.catalog_of(options.settings_from(config, catalog=catalog))
    found = [item for item in list_rejects(catalog_uri, collection) if reason in (None, item.reason)]
    if as_json:
        say(json.dumps({"collection": collection, "rejects": [asdict(item) for item in found]}))
        return EXIT_OK
    for item in found:
        say(f"{item.key}: {item.stage}, {item.reason}: {item.detail}")
    if not found:
        say("no rejects")
    return EXIT_OK
