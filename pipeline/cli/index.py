"""`bitquarry index build|add|compact|prune|verify|list` and `bitquarry alias set|rollback|list`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_FAILED, EXIT_OK
from pipeline.cli.output import counted, say, table
from pipeline.errors import UnknownName

if TYPE_CHECKING:
    from pipeline.shard_index.generation_pruning import PruningPlan
    from pipeline.shard_index.index_catalog import IndexCatalog
    from pipeline.shard_index.index_manifest import SearchFacts

index_app = typer.Typer(help="Build, check and list indexes.", no_args_is_help=True)
alias_app = typer.Typer(help="Say which generation of an index answers.", no_args_is_help=True)

AliasName = Annotated[str, typer.Option("--alias", "-a", help="Name that searches ask for.")]


@index_app.command()
def build(
    collection: options.CollectionName,
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the index.")],
    num_shards: Annotated[int, typer.Option("--num-shards", help="Files that searchers share out.", min=1)] = 4,
    table_version: Annotated[
        int | None, typer.Option("--table-version", help="Version of the collection; default: the newest.", min=0)
    ] = None,
    alias: Annotated[str, typer.Option("--alias", help="Point this alias at the result; '' for none.")] = "live",
    kind: Annotated[
        str, typer.Option("--kind", help="How it is searched: auto, scan, multi_index, binary_ivf or binary_hnsw.")
    ] = "auto",
    expect_k: Annotated[int, typer.Option("--expect-k", help="Neighbours that queries will ask for (auto).")] = 10,
    expect_radius: Annotated[
        int | None, typer.Option("--expect-radius", help="Radius that queries will ask for (auto).")
    ] = None,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Let auto take a kind that may miss some neighbours.")
    ] = False,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Build a new generation of an index from a collection. Older generations stay until `index prune`."""
    from operators.search.search_planner import PlanRequest
    from pipeline.jobs.build_index import BuildSettings, build_index

    manifest = build_index(
        BuildSettings(
            catalog=options.catalog_of(options.settings_from(config, catalog=catalog)),
            collection=collection,
            index=name,
            num_shards=num_shards,
            table_version=table_version,
            alias=alias or None,
            search_kind=kind,
            expected=PlanRequest(k=expect_k, radius=expect_radius, exact=not approximate),
        )
    )
    facts = {
        "index": manifest.index,
        "generation": manifest.generation,
        "alias": alias or None,
        "num_rows": manifest.num_rows,
        "num_bits": manifest.num_bits,
        "num_shards": len(manifest.shards),
        "model_id": manifest.model_id,
        "table_version": manifest.table_version,
        "search": asdict(manifest.search),
    }
    pointed = f"; alias {alias!r} points at it" if alias else ""
    say(
        json.dumps(facts)
        if as_json
        else f"index {name}, generation {manifest.generation}: {manifest.num_rows:,} codes of {manifest.num_bits} bits "
        f"in {len(manifest.shards)} shards, from collection {collection} version {manifest.table_version}{pointed}\n"
        f"{_search_text(manifest.search)}"
    )
    return EXIT_OK


def _search_text(facts: SearchFacts) -> str:
    text = f"search kind {facts.kind}: {facts.reason}"
    if facts.measured_ms is not None:
        text += f"; measured {facts.measured_ms:.3g} ms a query"
    return text if facts.audit is None else f"{text}\naudit of the first shard: {facts.audit}"


@index_app.command()
def add(
    index: options.IndexName,
    alias: AliasName = "live",
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Bring an index up to the newest version of its collection, at the cost of what changed; deletions included."""
    from pipeline.jobs.add_to_index import add_to_index

    settings = options.settings_from(config, catalog=catalog)
    result = add_to_index(options.catalog_of(settings), index, alias=alias, cache_dir=options.cache_dir_of(settings))
    if as_json:
        say(json.dumps(asdict(result)))
        return EXIT_OK
    state = f"collection version {result.table_version}, {result.num_rows:,} items"
    if result.changed:
        say(
            f"index {index}, generation {result.generation}: {counted(result.num_added, 'row')} added, "
            f"{result.num_removed:,} removed; {state}; alias {alias!r} points at it"
        )
    else:
        say(f"index {index}: nothing new; {state}")
    if result.advice:
        say(f"advice: {result.advice}")
    return EXIT_OK


@index_app.command()
def compact(
    index: options.IndexName,
    alias: AliasName = "live",
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Build an index again at the version that it has, without deleted rows and delta shards."""
    from pipeline.jobs.compact_index import compact_index

    settings = options.settings_from(config, catalog=catalog)
    manifest = compact_index(options.catalog_of(settings), index, alias=alias, cache_dir=options.cache_dir_of(settings))
    facts = {
        "index": index,
        "generation": manifest.generation,
        "alias": alias,
        "num_rows": manifest.num_rows,
        "num_shards": len(manifest.shards),
        "table_version": manifest.table_version,
    }
    say(
        json.dumps(facts)
        if as_json
        else f"index {index}, generation {manifest.generation}: {manifest.num_rows:,} items in "
        f"{len(manifest.shards)} shards; alias {alias!r} points at it"
    )
    return EXIT_OK


@index_app.command()
def prune(
    index: options.IndexName,
    rollbacks: Annotated[
        int, typer.Option("--rollbacks", help="How many rollbacks of every alias must stay possible.")
    ] = 1,
    grace_hours: Annotated[
        float, typer.Option("--grace-hours", help="Keep what was made, or left by an alias, since then.")
    ] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Remove generations that no alias points at or can be rolled back to, and files that no other generation needs."""
    from pipeline.object_store.open_store import open_store
    from pipeline.shard_index.generation_pruning import PruningRule, plan_pruning, prune

    catalog_uri = options.catalog_of(options.settings_from(config, catalog=catalog))
    store = open_store(catalog_uri)
    rule = PruningRule(num_rollbacks=rollbacks, grace_hours=grace_hours)
    plan = plan_pruning(store, catalog_uri, index, rule)
    if not dry_run:
        prune(store, catalog_uri, plan)
    if as_json:
        facts = {"kept": plan.kept, "removed": plan.removed, "num_files": len(plan.files), "bytes": plan.size_bytes}
        say(json.dumps({"index": index, **facts, "dry_run": dry_run}))
        return EXIT_OK
    say(_pruning_text(plan, "would go" if dry_run else "removed"))
    return EXIT_OK


def _pruning_text(plan: PruningPlan, done: str) -> str:
    kept = f"{counted(len(plan.kept), 'generation')} kept"
    if not plan.files:
        return f"index {plan.index}: nothing to remove, {kept}"
    size = f"{counted(len(plan.files), 'file')} of {plan.size_bytes / 1e6:,.1f} MB {done}"
    return "\n".join([*(f"{done}: {name}" for name in plan.removed), f"index {plan.index}: {size}, {kept}"])


@index_app.command()
def verify(
    index: options.IndexName,
    alias: AliasName = "live",
    generation: Annotated[str | None, typer.Option("--generation", help="Instead of an alias.")] = None,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Read every byte of a generation and compare it with the checksums in its manifest."""
    from pipeline.object_store.open_store import open_store
    from pipeline.shard_index.index_verify import verify_generation
    from pipeline.shard_index.shard_fetch import ShardFetcher

    settings = options.settings_from(config, catalog=catalog)
    catalog_uri = options.catalog_of(settings)
    indexes = _index_catalog(catalog_uri)
    manifest = indexes.manifest(index, generation) if generation else indexes.resolve(index, alias)
    fetcher = ShardFetcher(catalog_uri, open_store(catalog_uri), options.cache_dir_of(settings))
    report = verify_generation(manifest, fetcher)
    if as_json:
        say(json.dumps(asdict(report)))
    else:
        verdict = "every byte is as it was written" if not report.problems else f"{len(report.problems)} damaged shards"
        say(f"index {report.index}, generation {report.generation}: {report.num_files} files, {verdict}")
        for problem in report.problems:
            say(problem)
    return EXIT_FAILED if report.problems else EXIT_OK


@index_app.command("list")
def list_indexes(
    catalog: options.Catalog = None, config: options.Config = None, as_json: options.AsJson = False
) -> int:
    """List indexes, their generations and the aliases that point at them."""
    indexes = _index_catalog(options.catalog_of(options.settings_from(config, catalog=catalog)))
    rows = []
    for index in indexes.index_names():
        aliases = indexes.aliases(index)
        for generation in indexes.generations(index):
            manifest = indexes.manifest(index, generation)
            pointing = sorted(alias for alias, record in aliases.items() if record.generation == generation)
            rows.append((index, generation, manifest.num_rows, manifest.num_bits, manifest.model_id, pointing))
    headings = ("index", "generation", "num_rows", "num_bits", "model_id", "aliases")
    if as_json:
        say(json.dumps({"generations": [dict(zip(headings, row, strict=True)) for row in rows]}))
    else:
        say(table(headings, [(*row[:-1], ",".join(row[-1])) for row in rows]) if rows else "no index yet")
    return EXIT_OK


@alias_app.command("set")
def set_alias(
    index: options.IndexName,
    generation: Annotated[str, typer.Option("--generation", "-g", help="As `index list` shows it.")],
    alias: AliasName = "live",
    catalog: options.Catalog = None,
    config: options.Config = None,
) -> int:
    """Point an alias at a generation, in one write."""
    indexes = _index_catalog(options.catalog_of(options.settings_from(config, catalog=catalog)))
    record = indexes.point_alias(index, alias, generation)
    say(f"{index}: {alias} points at {record.generation}")
    return EXIT_OK


@alias_app.command()
def rollback(
    index: options.IndexName,
    alias: AliasName = "live",
    catalog: options.Catalog = None,
    config: options.Config = None,
) -> int:
    """Point an alias back at the generation before."""
    indexes = _index_catalog(options.catalog_of(options.settings_from(config, catalog=catalog)))
    record = indexes.rollback_alias(index, alias)
    say(f"{index}: {alias} points at {record.generation} again")
    return EXIT_OK


@alias_app.command("list")
def list_aliases(
    index: options.IndexName,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """List the aliases of an index."""
    indexes = _index_catalog(options.catalog_of(options.settings_from(config, catalog=catalog)))
    pointing = {alias: record.generation for alias, record in sorted(indexes.aliases(index).items())}
    if not pointing and not indexes.generations(index):
        raise UnknownName("index", index, indexes.index_names())
    say(json.dumps(pointing) if as_json else table(("alias", "generation"), list(pointing.items())))
    return EXIT_OK


def _index_catalog(catalog: str) -> IndexCatalog:
    from pipeline.object_store.open_store import open_store
    from pipeline.shard_index.index_catalog import IndexCatalog

    return IndexCatalog(catalog, open_store(catalog))
