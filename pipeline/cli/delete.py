"""`bitquarry delete`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_DONE_WITH_REJECTS, EXIT_FAILED, EXIT_OK
from pipeline.cli.output import counted, say
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.jobs.delete_items import DeletionPlan

_MAX_NAMED = 5


def delete(
    index: options.IndexName,
    item_id: Annotated[list[int] | None, typer.Option("--id", help="Id of an item; may be repeated.")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="Key of items; may be repeated.")] = None,
    ids_file: Annotated[Path | None, typer.Option("--ids-file", help="Text file with one id per line.")] = None,
    alias: Annotated[str, typer.Option("--alias", "-a", help="Which generation of the index they leave.")] = "live",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Delete items from an index at once, and from its collection for good. Pictures stay where they are."""
    from pipeline.jobs.delete_items import delete_items, plan_deletion

    settings = options.settings_from(config, catalog=catalog)
    catalog_uri, cache_dir = options.catalog_of(settings), options.cache_dir_of(settings)
    ids = [*(item_id or ()), *(_ids_in(ids_file) if ids_file else ())]
    keys = key or []
    if not dry_run and not yes and not sys.stdin.isatty():
        raise UsageError("delete is for good and there is no terminal to ask on; say --yes, or look with --dry-run")
    if dry_run or not yes:
        plan = plan_deletion(catalog_uri, index, alias=alias, ids=ids, keys=keys, cache_dir=cache_dir)
        if dry_run:
            return _say_result(plan.generation, len(plan.ids), plan.not_found, "would be deleted", (index, as_json))
        if not _confirmed(plan):
            typer.echo("bitquarry: nothing was deleted", err=True)
            return EXIT_FAILED
    done = delete_items(catalog_uri, index, alias=alias, ids=ids, keys=keys, cache_dir=cache_dir)
    return _say_result(done.generation, done.num_deleted, done.not_found, "deleted", (index, as_json))


def _ids_in(path: Path) -> list[int]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--ids-file {path}: cannot be read ({error})") from None
    ids = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not (text.isascii() and text.isdecimal()):
            raise UsageError(f"--ids-file {path}, line {number}: {text!r:.80} is no id; expected one id per line")
        if text:
            ids.append(int(text))
    return ids


def _confirmed(plan: DeletionPlan) -> bool:
    """Ask on the terminal, unless there is nothing to delete."""
    if not plan.ids:
        return True
    more = " ..." if len(plan.ids) > _MAX_NAMED else ""
    typer.echo(f"ids {', '.join(map(str, plan.ids[:_MAX_NAMED]))}{more}", err=True)
    return typer.confirm(f"Delete {counted(len(plan.ids), 'item')} of index {plan.index} for good?", err=True)


def _say_result(
    generation: str, num_deleted: int, not_found: tuple[str, ...], done: str, shown: tuple[str, bool]
) -> int:
    index, as_json = shown
    if as_json:
        facts = {"index": index, "generation": generation, "num_deleted": num_deleted, "not_found": not_found}
        say(json.dumps({**facts, "dry_run": done != "deleted"}))
    elif num_deleted:
        say(f"index {index}, generation {generation}: {counted(num_deleted, 'item')} {done}")
    else:
        say(f"index {index}, generation {generation}: nothing to delete that was not deleted before")
    if not_found:
        named = ", ".join(not_found[:_MAX_NAMED])
        typer.echo(f"bitquarry: {len(not_found):,} of the ids and keys name no item: {named}", err=True)
        return EXIT_DONE_WITH_REJECTS
    return EXIT_OK
