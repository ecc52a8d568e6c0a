"""`bitquarry bench`: how fast this machine does it, against the plainest program that does the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say

if TYPE_CHECKING:
    from pipeline.jobs.bench_encode import EncodeBenchResult

bench_app = typer.Typer(help="Measure against the plainest program that does the same.", no_args_is_help=True)


@bench_app.command()
def encode(
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where the photos are kept for the next time.")] = Path(
        "bench-data"
    ),
    num_photos: Annotated[int, typer.Option("--photos", help="Different JPEG pictures.", min=1)] = 20_000,
    copies: Annotated[
        int, typer.Option("--copies", help="Names that each photo stands under: more files on the same disk.", min=1)
    ] = 2,
    width: Annotated[int, typer.Option("--width", help="Of a photo, in pixels.", min=64)] = 1600,
    height: Annotated[int, typer.Option("--height", help="Of a photo, in pixels.", min=64)] = 1200,
    repeats: Annotated[int, typer.Option("--repeats", help="Runs of the job, and of the loops.", min=1)] = 3,
    task_items: Annotated[int, typer.Option("--task-items", help="Items per task, the unit of progress.", min=1)] = 512,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same photos.")] = 0,
    as_json: options.AsJson = False,
) -> int:
    """The whole `encode` command against one bare loop per core that decodes, hashes and writes the same photos.

    The photos are made once, about 430 KB each at the default size: 9 GB for 20,000.
    """
    from pipeline.jobs.bench_encode import BenchEncodeSettings, bench_encode
    from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings

    settings = BenchEncodeSettings(
        command=(sys.executable, "-m", "pipeline.cli.app"),
        data_dir=data_dir.resolve(),
        photos=PhotoCorpusSettings(num_photos=num_photos, num_copies=copies, width=width, height=height, seed=seed),
        num_repeats=repeats,
        task_items=task_items,
    )
    result = bench_encode(settings, _progress)
    say(json.dumps(result.to_json()) if as_json else _summary(result))
    return EXIT_OK


@bench_app.command()
def scan(
    num_bits: Annotated[int, typer.Option("--num-bits", "-b", help="Of a code: a multiple of 8 up to 4096.")] = 64,
    num_codes: Annotated[int, typer.Option("--num-codes", "-n", help="Random codes that are searched.")] = 10_000_000,
    num_queries: Annotated[int, typer.Option("--num-queries", "-q", help="Searched with together.")] = 64,
    k: Annotated[int, typer.Option("--k", "-k", help="Neighbours per query.")] = 10,
    threads: Annotated[int, typer.Option("--threads", "-t", help="Of both programs.")] = 1,
    repeats: Annotated[int, typer.Option("--repeats", help="Rounds: one search of each, by turns.")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same codes.")] = 0,
    as_json: options.AsJson = False,
) -> int:
    """The exact Hamming scan against Faiss `IndexBinaryFlat` (extra `faiss`), on codes in memory."""
    from pipeline.jobs.bench_scan import BenchScanSettings, bench_scan

    settings = BenchScanSettings(
        num_bits=num_bits,
        num_codes=num_codes,
        num_queries=num_queries,
        k=k,
        num_threads=threads,
        num_repeats=repeats,
        seed=seed,
    )
    facts = bench_scan(settings, _progress).to_json()
    say(json.dumps(facts) if as_json else _scan_summary(facts))
    return EXIT_OK


@bench_app.command()
def join(
    num_bits: Annotated[int, typer.Option("--num-bits", "-b", help="Of a code: a multiple of 8 up to 4096.")] = 64,
    num_codes: Annotated[
        int, typer.Option("--num-codes", "-n", help="Random codes, a fifth near others.")
    ] = 10_000_000,
    radius: Annotated[int, typer.Option("--radius", "-r", help="Bits in which near duplicates may differ.")] = 3,
    sampled: Annotated[int, typer.Option("--sampled", help="Codes that Faiss looks for; all would take hours.")] = 256,
    threads: Annotated[int, typer.Option("--threads", "-t", help="Of both programs.")] = 1,
    repeats: Annotated[int, typer.Option("--repeats", help="Rounds: one run of each, by turns.")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same codes.")] = 0,
    as_json: options.AsJson = False,
) -> int:
    """The near-duplicate join against Faiss range search (extra `faiss`), on codes in memory."""
    from pipeline.jobs.bench_join import BenchJoinSettings, bench_join

    settings = BenchJoinSettings(
        num_bits=num_bits,
        num_codes=num_codes,
        radius=radius,
        num_sampled=sampled,
        num_threads=threads,
        num_repeats=repeats,
        seed=seed,
    )
    facts = bench_join(settings, _progress).to_json()
    low, high = facts["ratio_spread"]
    text = [
        f"join: {facts['figure']:,.0f} {facts['unit']}, {facts['num_pairs']:,} pairs",
        f"{facts['comparator_is']}: {facts['comparator']:,.0f} {facts['unit']}",
        f"ratio {facts['ratio']:,.0f} ({low:,.0f} to {high:,.0f})",
    ]
    say(json.dumps(facts) if as_json else "\n".join(text))
    return EXIT_OK


@bench_app.command()
def mih(
    num_bits: Annotated[int, typer.Option("--num-bits", "-b", help="Of a code: a multiple of 8 up to 4096.")] = 64,
    num_codes: Annotated[int, typer.Option("--num-codes", "-n", help="Codes in clusters of about 20.")] = 10_000_000,
    num_queries: Annotated[int, typer.Option("--num-queries", "-q", help="Searched with together.")] = 64,
    k: Annotated[int, typer.Option("--k", "-k", help="Neighbours per query.")] = 10,
    radius: Annotated[int | None, typer.Option("--radius", "-r", help="All within so many bits, instead of k.")] = None,
    threads: Annotated[int, typer.Option("--threads", "-t", help="Of both searches.")] = 1,
    repeats: Annotated[int, typer.Option("--repeats", help="Rounds: one search of each, by turns.")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same codes.")] = 0,
    as_json: options.AsJson = False,
) -> int:
    """Multi-index hashing against the exact scan, on codes in memory, with queries near some of them."""
    from pipeline.jobs.bench_mih import BenchMihSettings, bench_mih

    settings = BenchMihSettings(
        num_bits=num_bits,
        num_codes=num_codes,
        num_queries=num_queries,
        k=k,
        radius=radius,
        num_threads=threads,
        num_repeats=repeats,
        seed=seed,
    )
    facts = bench_mih(settings, _progress).to_json()
    low, high = facts["ratio_spread"]
    text = [
        f"multi-index hashing: {facts['figure']:,.0f} {facts['unit']}, {facts['scanned_share']:.0%} of them scanned",
        f"{facts['comparator_is']}: {facts['comparator']:,.0f} {facts['unit']}",
        f"ratio {facts['ratio']:,.1f} ({low:,.1f} to {high:,.1f})",
        f"tables: {facts['table_bytes_per_code']:.1f} bytes per code, built in {facts['build_seconds']:.1f} s",
    ]
    say(json.dumps(facts) if as_json else "\n".join(text))
    return EXIT_OK


@bench_app.command()
def serve(
    num_bits: Annotated[int, typer.Option("--num-bits", "-b", help="Of a code: a multiple of 8 up to 4096.")] = 64,
    num_codes: Annotated[int, typer.Option("--num-codes", "-n", help="Clustered codes that are searched.")] = 1_000_000,
    num_shards: Annotated[int, typer.Option("--num-shards", help="Of the index; one thread each.")] = 2,
    kind: Annotated[str, typer.Option("--kind", help="Of the index: scan, auto or another that there is.")] = "scan",
    k: Annotated[int, typer.Option("--k", "-k", help="Neighbours per query.")] = 10,
    concurrency: Annotated[list[int], typer.Option("--concurrency", "-c", help="Connections; may be repeated.")] = [  # noqa: B006
        1,
        16,
        64,
    ],
    seconds: Annotated[float, typer.Option("--seconds", help="Of each measurement.", min=0.1)] = 5.0,
    searchers: Annotated[int, typer.Option("--searchers", help="Ray actors to measure too; 0: none.", min=0)] = 2,
    bare_threads: Annotated[
        int | None, typer.Option("--bare-threads", help="Of Faiss in the bare app; default: its own choice.", min=1)
    ] = None,
    memory_queries: Annotated[
        int, typer.Option("--memory-queries", help="Asked at the end, to see whether memory grows.", min=0)
    ] = 0,
    repeats: Annotated[int, typer.Option("--repeats", help="Rounds: each service once, by turns.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same codes.")] = 0,
    as_json: options.AsJson = False,
) -> int:
    """The search service against a bare FastAPI app around Faiss (extras `serve` and `faiss`), over HTTP."""
    from pipeline.jobs.bench_serve import BenchServeSettings, bench_serve

    settings = BenchServeSettings(
        num_bits=num_bits,
        num_codes=num_codes,
        num_shards=num_shards,
        search_kind=kind,
        k=k,
        concurrency=tuple(concurrency),
        seconds=seconds,
        num_searchers=searchers,
        bare_threads=bare_threads,
        memory_queries=memory_queries,
        num_repeats=repeats,
        seed=seed,
    )
    facts = bench_serve(settings, _progress).to_json()
    say(json.dumps(facts) if as_json else _serve_summary(facts))
    return EXIT_OK


def _serve_summary(facts: dict[str, Any]) -> str:
    lines = [f"compared with {facts['comparator_is']}, queries by code, k = {facts['k']}"]
    for concurrency, at in facts["at_concurrency"].items():
        rates = f"{at['figure']:,.0f} to {at['comparator']:,.0f} queries/s, ratio {at['ratio']:.2f}"
        lines.append(
            f"at {concurrency}: {rates}; p50 {at['service']['p50_milliseconds']:.2f} ms, {at['p50_ratio']:.2f} of its; "
            f"batching brings {at['batching_gain']:.2f}"
        )
    if facts["memory"]:
        first, last = facts["memory"][0], facts["memory"][-1]
        grown = (last["resident_bytes"] - first["resident_bytes"]) / 1e6
        lines.append(f"memory: {grown:+,.1f} MB from query {first['num_queries']:,} to {last['num_queries']:,}")
    return "\n".join(lines)


def _scan_summary(facts: dict[str, Any]) -> str:
    low, high = facts["ratio_spread"]
    return "\n".join(
        [
            f"scan: {facts['figure']:.2f} {facts['unit']}, {facts['queries_per_second']:,.1f} queries/s",
            f"{facts['comparator_is']}: {facts['comparator']:.2f} {facts['unit']}",
            f"ratio {facts['ratio']:.2f} ({low:.2f} to {high:.2f})",
            f"codes passed: {facts['scan_gigabytes_per_second']:.1f} GB/s; one thread reads "
            f"{facts['read_gigabytes_per_second']:.1f} GB/s",
            f"ready after {facts['warm_up_seconds']:.2f} s",
        ]
    )


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _summary(result: EncodeBenchResult) -> str:
    facts = result.to_json()
    bare = facts["without_startup"]
    low, high = facts["ratio_spread"]
    return "\n".join(
        [
            f"encode, from start to end: {facts['figure']:,.0f} {facts['unit']}",
            f"bare loop on each of {result.num_processes} cores: {facts['comparator']:,.0f} {facts['unit']}",
            f"ratio {facts['ratio']:.3f} ({low:.3f} to {high:.3f} over {len(result.rounds)} rounds); "
            f"without start-up {bare['ratio']:.3f}",
            f"bottleneck of the job: {facts['job_bottleneck']}",
        ]
    )
