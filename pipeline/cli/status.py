"""`bitquarry status`."""

from __future__ import annotations

import json

from pipeline.cli import options
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say, table


def status(catalog: options.Catalog = None, config: options.Config = None, as_json: options.AsJson = False) -> int:
    """What a catalog holds: models, collections and indexes."""
    from pipeline.jobs.catalog_status import catalog_status

    catalog_uri = options.catalog_of(options.settings_from(config, catalog=catalog))
    found = catalog_status(catalog_uri)
    if as_json:
        say(json.dumps(found))
        return EXIT_OK
    for kind, rows in found.items():
        say(f"{kind}:" if rows else f"{kind}: none yet")
        if rows:
            say(table(tuple(rows[0]), [tuple("" if cell is None else cell for cell in row.values()) for row in rows]))
    return EXIT_OK
