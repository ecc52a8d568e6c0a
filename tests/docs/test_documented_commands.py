"""Every command in the README and the docs does what stands there, in the order of its page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import typer

from pipeline.cli.app import app
from tests.command_line import ROOT, environment
from tests.docs.documented_blocks import Block, blocks_of, command_lines, inline_code, links, pages, shell_script
from tests.docs.documented_folder import write_documented_folder, write_sources
from tests.s3_server import S3Server
from tests.source_samples import upload

S3_HEADING = "S3 and settings files"
# Each guide with something that its commands must print.
GUIDES = {
    "sources": "collection tars: 23 encoded, 0 rejects",
    "models": "model dino32@1: itq on backbone",
    "search": "every byte is as it was written",
    "catalog": "num_rows",
    "operations": "fruit/broken.jpg: decode, undecodable",
    "serving": '"num_deleted":1',
}

# Blocks that no test runs, by page and first line, with the reason.
NOT_RUN = {
    ("README.md", "make demo    # train, encode, index, query, evaluate and serve 976 drawings that come with it"): (
        "make targets have tests of their own; `make test` runs this test"
    ),
    ("README.md", "make install"): "makes the environment that this test runs in",
    ("docs/models.md", "bitquarry evaluate --protocol fashion-mnist --features hog --method itq --num-bits 32"): (
        "minutes long, and needs a Debian package; benchmarks/bench_retrieval_quality.py runs the protocol"
    ),
    ("docs/serving.md", "bitquarry serve --host 0.0.0.0 --keys keys.json"): "runs until it is stopped, open to others",
    ("docs/operations.md", "bitquarry bench encode --json"): "makes 9 GB of photos; its own tests run it small",
}
RUN_LANGUAGES = ("sh", "python")
FOLDERS = ("operators/", "pipeline/", "tests/", "docs/", "deploy/", "benchmarks/")


def _runnable(page: str) -> list[Block]:
    blocks = [block for block in blocks_of(page) if block.language in RUN_LANGUAGES]
    return [block for block in blocks if (page, block.first_line) not in NOT_RUN]


def _run(blocks: Iterable[Block], folder: Path) -> str:
    """Run blocks as one shell session in `folder`; what they print. The trace shows which command failed."""
    # What a block leaves running ends with it, also when a later command fails.
    script = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n" + shell_script(list(blocks))
    variables = {**environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    variables.pop("BITQUARRY_CATALOG", None)
    finished = subprocess.run(
        ["bash", "-xeuo", "pipefail", "-c", script],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, f"exit code {finished.returncode}\n{finished.stdout}\n{finished.stderr}"
    assert "Traceback" not in finished.stderr, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def readme_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the README's own-pictures commands were run, and what they printed."""
    folder = tmp_path_factory.mktemp("documented")
    write_documented_folder(folder)
    blocks = [block for block in _runnable("README.md") if block.heading != S3_HEADING]
    settings = [block for block in _runnable("README.md") if "--config" in block.text]
    return folder, _run([*blocks, *settings], folder)


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_readme_from_pictures_to_answers(readme_run: tuple[Path, str]) -> None:
    folder, output = readme_run
    assert "collection photos: 160 encoded, 0 rejects" in output
    assert "fruit/apple.jpg" in output
    assert "new 1, changed 0, deleted 0" in output
    assert (folder / "quality.html").is_file()


@pytest.mark.ray
@pytest.mark.timeout(400)
@pytest.mark.parametrize("guide", GUIDES)
def test_guide(guide: str, readme_run: tuple[Path, str]) -> None:
    folder, _ = readme_run
    if guide in ("sources", "models") and not (folder / "shards").exists():
        write_sources(folder)
    output = _run(_runnable(f"docs/{guide}.md"), folder)
    assert GUIDES[guide] in output


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_readme_on_s3(s3_server: S3Server, tmp_path: Path) -> None:
    write_documented_folder(tmp_path)
    upload(tmp_path / "pictures", s3_server)
    blocks = [block for block in _runnable("README.md") if block.heading == S3_HEADING and "s3://" in block.text]
    assert len(blocks) == 1
    here = Block(**{**vars(blocks[0]), "text": blocks[0].text.replace("my-bucket", s3_server.bucket)})
    output = _run([here], tmp_path)
    assert "collection photos: 160 encoded, 0 rejects" in output
    assert "fruit/apple.jpg" in output


@pytest.mark.parametrize("page", pages())
def test_every_block_is_run_or_said_why_not(page: str) -> None:
    """A block with commands is `sh`, on a page that is run; those left out are listed above."""
    for block in blocks_of(page):
        if page in ("README.md", *(f"docs/{guide}.md" for guide in GUIDES)):
            assert block.language in (*RUN_LANGUAGES, "text", "sql", "yaml"), f"{page}: {block.first_line}"
            assert block.language in RUN_LANGUAGES or not command_lines(block.text), f"{page}: {block.first_line}"
    known = {block.first_line for block in blocks_of(page)}
    assert {line for listed, line in NOT_RUN if listed == page} <= known


@pytest.mark.parametrize("page", pages())
def test_commands_and_options_exist(page: str) -> None:
    in_blocks = [line for block in blocks_of(page) for line in command_lines(block.text)]
    for line in [*in_blocks, *(code for code in inline_code(page) if code.startswith("bitquarry "))]:
        assert not unknown_words(line), f"{page}: {line}"


@pytest.mark.parametrize("page", pages())
def test_files_and_links_exist(page: str) -> None:
    named = [code for code in inline_code(page) if code.startswith(FOLDERS) and not set(code) & set("<*… ")]
    missing = [code for code in named if not (ROOT / code).exists()]
    missing += [link for link in links(page) if not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing, f"{page} names what is not there: {missing}"


def test_make_targets_exist() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        for block in blocks_of(page):
            for line in block.text.splitlines():
                if line.startswith("make "):
                    target = line.split()[1]
                    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("bitquarry query --index photos -k 3", []),
        ("bitquarry launch --port 80", ["launch"]),
        ("bitquarry index build --collection c --name n --fast", ["--fast"]),
        ("bitquarry alias move", ["move"]),
    ],
)
def test_a_command_that_is_not_there_is_noticed(line: str, unknown: list[str]) -> None:
    assert unknown_words(line) == unknown


def test_a_block_that_fails_is_noticed(tmp_path: Path) -> None:
    block = Block(page="x", heading="", language="sh", text="echo before\nfalse\necho after\n")
    with pytest.raises(AssertionError, match="exit code 1"):
        _run([block], tmp_path)
    snippet = Block(page="x", heading="", language="python", text="raise SystemExit(7)\n")
    with pytest.raises(AssertionError, match="exit code 7"):
        _run([snippet], tmp_path)


def unknown_words(line: str) -> list[str]:
    """The words of a `bitquarry …` line that should be a command or an option and are none."""
    command = typer.main.get_command(app)
    words = line.split()[1:]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return [words[0]]
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help",
        "-h",
    }
    return [word for word in words if word.startswith("-") and len(word) > 1 and word not in known]
