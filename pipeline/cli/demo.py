"""`bitquarry demo`: the whole pipeline on the shipped sample corpus, by the commands that users type."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.demo_service import free_port, run_until_stopped
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say
from pipeline.errors import MissingExtra, PipelineError, UsageError

_MARK = ".bitquarry-demo"


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the demo's catalog and page; made anew.")] = Path(
        "demo"
    ),
    port: Annotated[
        int, typer.Option("--port", "-p", help="Port of the service, or the next free one.", min=0, max=65535)
    ] = 8000,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="End with the service running.")] = True,
) -> int:
    """Train, encode, index, query and evaluate the sample corpus; then serve it, until Ctrl-C."""
    from pipeline.sample_corpus.sample_corpus import sample_corpus_path

    if serve and find_spec("fastapi") is None:
        raise MissingExtra("fastapi (for the service that the demo ends with; --no-serve does without)", "serve")
    started = time.monotonic()
    _make_anew(out)
    catalog, page = out / "catalog", out / "report.html"
    source = ("--source", sample_corpus_path(), "--bytes-column", "image", "--key-column", "key")
    _step("train", "--catalog", catalog, "--name", "itq64", "--method", "itq", "--num-bits", 64, *source)
    labels = ("--label-column", "category", "--carry", "title", "--carry", "keywords", "--task-items", 256)
    _step("encode", "--catalog", catalog, "--collection", "clips", "--model", "itq64", *source, *labels)
    _step("index", "build", "--catalog", catalog, "--collection", "clips", "--name", "clips", "--num-shards", 2)
    for key in _some_keys(sample_corpus_path()):
        _step("query", "--catalog", catalog, "--index", "clips", "--key", key, "--k", 5)
    _step("evaluate", "--catalog", catalog, "--index", "clips", "--html", page)
    say(f"\nThis took {time.monotonic() - started:.0f} s. How good the codes are:\n{page.resolve().as_uri()}")
    if serve:
        say("\nThe service comes up now. Open its address in a browser, and drop a picture there.")
        run_until_stopped(_shown("serve", "--catalog", catalog, "--index", "clips", "--port", free_port(port)))
        say(f"\nThe service has stopped. To start it again: bitquarry serve --catalog {shlex.quote(str(catalog))}")
    return EXIT_OK


def _make_anew(out: Path) -> None:
    """Remove what an earlier demo left there; refuse a folder that holds anything else."""
    if out.exists() and any(out.iterdir()) and not (out / _MARK).exists():
        raise UsageError(f"--out {out}: holds other files; give an empty or new folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARK).touch()


def _some_keys(corpus: Path) -> list[str]:
    """The first picture of three categories."""
    import pyarrow.parquet as pq

    table = pq.read_table(corpus, columns=["key", "category"])
    first: dict[str, str] = {}
    for key, category in zip(table["key"].to_pylist(), table["category"].to_pylist(), strict=True):
        first.setdefault(category, key)
    return list(first.values())[::7]


def _step(*arguments: object) -> None:
    finished = subprocess.run(_shown(*arguments), check=False)
    if finished.returncode != EXIT_OK:
        raise PipelineError(f"the demo stopped: `bitquarry {arguments[0]}` ended with exit code {finished.returncode}")


def _shown(*arguments: object) -> list[str]:
    """The command, which is printed as users type it."""
    words = [str(argument) for argument in arguments]
    say(f"\n$ bitquarry {shlex.join(words)}")
    sys.stdout.flush()
    return [sys.executable, "-m", "pipeline.cli.app", *words]
