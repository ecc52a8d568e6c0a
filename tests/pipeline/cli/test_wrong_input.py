"""What a user gets wrong: one line on stderr that names it and says what to do, the exit code, no traceback."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.cli import app
from tests import command_line
from tests.pipeline.jobs.search_examples import make_picture_catalog, picture
from tests.s3_server import S3Server

FAILED, USAGE = 1, 2
CODE = "0ff0"  # 12 bits


@dataclass(frozen=True)
class Complaint:
    exit_code: int
    line: str


class Desk:
    """A catalog with model `lsh12`, collection and index `pictures`; types commands in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = folder / "catalog"
        make_picture_catalog(str(self.catalog))
        command_line.run("index", "build", "-C", self.catalog, "-c", "pictures", "-n", "pictures", "--num-shards", "2")
        (folder / "pictures").mkdir()
        for number in range(3):
            (folder / "pictures" / f"{number}.png").write_bytes(picture(number))
        (folder / "empty").mkdir()
        (folder / "corrupt.jpg").write_bytes(b"<html>404</html>")
        (folder / "misspelt.yaml").write_text("encode: {devise: cpu}\n")
        (folder / "broken.yaml").write_text("encode: [\n")
        (folder / "wrong.yaml").write_text("encode: {num_encoders: many}\n")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("wrong-input"))


@pytest.fixture
def complain(desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Complain:
    monkeypatch.chdir(desk.folder)
    monkeypatch.delenv("BITQUARRY_CATALOG", raising=False)
    return Complain(monkeypatch, capfd)


@dataclass(frozen=True)
class Complain:
    """Runs the command line's own `main`, and holds what every refusal must be."""

    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, command: str) -> Complaint:
        self.monkeypatch.setattr("sys.argv", ["bitquarry", *command.split()])
        self.capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        output, complaints = self.capfd.readouterr()
        assert output == ""
        lines = complaints.splitlines()
        assert len(lines) == 1, complaints
        assert lines[0].startswith("bitquarry: ")
        assert isinstance(ended.value.code, int)
        return Complaint(ended.value.code, lines[0].removeprefix("bitquarry: "))


IN = "-C catalog"
ENCODE = f"encode {IN} -m lsh12"
QUERY = f"query {IN} -i pictures"
DELETE = f"delete {IN} -i pictures"
TRAIN = "train -C new -n m -s pictures"

# Command, exit code, and what the line must say: the thing, and the remedy.
REFUSALS = {
    "unknown command": ("enlighten", USAGE, ("'enlighten'", "bitquarry --help")),
    "unknown subcommand": ("index enlighten", USAGE, ("'enlighten'", "bitquarry index --help")),
    "unknown option": (f"{QUERY} --code {CODE} --fast", USAGE, ("--fast", "bitquarry query --help")),
    "option without value": (f"{ENCODE} -s pictures -c", USAGE, ("'-c'", "bitquarry --help")),
    "missing option": (f"encode {IN} -c c -s pictures", USAGE, ("--model", "bitquarry encode --help")),
    "option not a number": (f"{QUERY} --code {CODE} --k many", USAGE, ("--k", "integer", "bitquarry query --help")),
    "negative radius": (f"{QUERY} --code {CODE[:3]}0 --radius -1", USAGE, ("radius = -1", "at least 0")),
    "condition of no shape": (f"{QUERY} --code {CODE[:3]}0 --where label", USAGE, ("'label'", "COLUMN=VALUE")),
    "condition on no column": (f"{QUERY} --code {CODE[:3]}0 --where hue=1", USAGE, ("'hue'", "only key, uri")),
    "no catalog": ("status", USAGE, ("no catalog", "--catalog", "--config")),
    "catalog is a file": ("status -C corrupt.jpg", USAGE, ("corrupt.jpg", "is a file", "folder or s3://")),
    "new catalog is a file": ("train -C corrupt.jpg -n m -s pictures", USAGE, ("corrupt.jpg", "is a file")),
    "catalog is not there": ("status -C catalogue", USAGE, ("catalogue", "no such folder", "bitquarry train")),
    "catalog of another scheme": ("status -C http://host/c", USAGE, ("http://", "s3://bucket/prefix")),
    "source is not there": (f"{ENCODE} -c c -s nowhere", USAGE, ("nowhere", "no such file or folder", "give")),
    "source is empty": (f"{ENCODE} -c c -s empty", USAGE, ("empty", "no pictures", "jpg")),
    "source to plan is empty": (f"plan {IN} -m lsh12 -c c -s empty", USAGE, ("empty", "no pictures", "jpg")),
    "source is a web page": (f"{ENCODE} -c c -s http://host/p", USAGE, ("'http://host/p'", "path or s3://")),
    "source kind": (f"{ENCODE} -c c -s pictures --source-kind zip", USAGE, ("'zip'", "webdataset")),
    "column of a folder": (f"{ENCODE} -c c -s pictures --label-column l", USAGE, ("label_column = l", "leave it out")),
    "task of no items": (f"{ENCODE} -c c -s pictures --task-items 0", USAGE, ("--task-items", "equal to 1")),
    "unknown device": (f"{ENCODE} -c c -s pictures --device tpu", USAGE, ("encode.device = 'tpu'", "'cuda'")),
    "collection with a path": (f"{ENCODE} -c ../c -s pictures", USAGE, ("collection name '../c'", "letters")),
    "unknown model": (f"encode {IN} -m itq -c c -s pictures", USAGE, ("no model named 'itq'", "known: lsh12")),
    "unknown version": (f"encode {IN} -m lsh12@7 -c c -s pictures", USAGE, ("'lsh12@7'", "known: lsh12@1")),
    "unknown collection": (f"index build {IN} -c none -n n", USAGE, ("collections/none", "bitquarry encode")),
    "unknown table version": (f"index build {IN} -c pictures -n n --table-version 99", USAGE, ("0 to", "99")),
    "no shards": (f"index build {IN} -c pictures -n n --num-shards 0", USAGE, ("--num-shards", "equal to 1")),
    "index name": (f"index build {IN} -c pictures -n a/b", USAGE, ("'a/b'", "letters, digits")),
    "unknown index": (f"query {IN} -i photos --code {CODE}", USAGE, ("no index named 'photos'", "known: pictures")),
    "unknown alias": (f"{QUERY} -a next --code {CODE}", USAGE, ("next", "known: live")),
    "unknown generation": (f"index verify {IN} -i pictures --generation g", USAGE, ("'pictures/g'", "known:")),
    "alias of unknown index": (f"alias list {IN} -i photos", USAGE, ("no index named 'photos'", "known: pictures")),
    "nothing to roll back to": (f"alias rollback {IN} -i pictures", USAGE, ("live", "nothing to roll back")),
    "index to evaluate": (f"evaluate {IN} --index photos", USAGE, ("'photos'", "known: pictures")),
    "nothing to search with": (QUERY, USAGE, ("--image, --key, --id or --code", "none")),
    "two things to search with": (f"{QUERY} --id 1 --key a", USAGE, ("--key and --id",)),
    "k = 0": (f"{QUERY} --code {CODE} --k 0", USAGE, ("k = 0", "1 to 16,384")),
    "k = -1": (f"{QUERY} --code {CODE} --k -1", USAGE, ("k = -1", "1 to 16,384")),
    "huge k": (f"{QUERY} --code {CODE} --k 1000000000", USAGE, ("k = 1000000000", "1 to 16,384")),
    "wide code": (f"{QUERY} --code {CODE}ff", USAGE, ("index pictures", "24 bits", "expected 12 bits")),
    "code with rest bits": (f"{QUERY} --code 0fff", USAGE, ("index pictures", "12")),
    "code not hex": (f"{QUERY} --code zz00", USAGE, ("'zz00'", "hexadecimal")),
    "unknown key": (f"{QUERY} --key 99.png", USAGE, ("index pictures", "'99.png'")),
    "unknown id": (f"{QUERY} --id 5", USAGE, ("index pictures", "no item with id 5")),
    "corrupt picture": (f"{QUERY} --image corrupt.jpg", USAGE, ("corrupt.jpg", "not a JPEG, PNG")),
    "missing picture": (f"{QUERY} --image none.jpg", USAGE, ("none.jpg", "give a readable picture")),
    "folder as picture": (f"{QUERY} --image pictures", USAGE, ("pictures", "give a readable picture")),
    "picture on the web": (f"{QUERY} --image http://h/a.jpg", USAGE, ("http://h/a.jpg", "download")),
    "missing queries": (f"search-batch {IN} -i pictures -q q.parquet -o o", USAGE, ("q.parquet", "Parquet file")),
    "queries not Parquet": (f"search-batch {IN} -i pictures -q corrupt.jpg -o o", USAGE, ("corrupt.jpg", "Parquet")),
    "radius to dedup": (f"dedup {IN} -i pictures -o o -r 12", USAGE, ("radius = 12", "from 0 to 11 for 12 bits")),
    "radius below zero": (f"dedup {IN} -i pictures -o o -r -1", USAGE, ("radius = -1", "from 0 to 11")),
    "column to keep by": (f"dedup {IN} -i pictures -o o --keep hue", USAGE, ("no column 'hue'", "width")),
    "clusters": (f"dedup {IN} -i pictures -o o --clusters k", USAGE, ("clusters = 'k'", "star or components")),
    "output is a file": (f"dedup {IN} -i pictures -o corrupt.jpg", FAILED, ("corrupt.jpg", "give a folder")),
    "nothing to delete": (f"{DELETE} --yes", USAGE, ("nothing to delete", "by id or by key")),
    "delete without asking": (f"{DELETE} --id 5", USAGE, ("no terminal to ask on", "--yes", "--dry-run")),
    "delete by no number": (f"{DELETE} --id five --yes", USAGE, ("--id", "integer", "bitquarry delete --help")),
    "delete by no id": (f"{DELETE} --id -5 --yes", USAGE, ("id -5", "whole number from 0")),
    "delete by a missing file": (
        f"{DELETE} --ids-file none.txt --yes",
        USAGE,
        ("--ids-file none.txt", "cannot be read"),
    ),
    "delete by a picture": (f"{DELETE} --ids-file corrupt.jpg --yes", USAGE, ("line 1", "no id", "one id per line")),
    "delete from no index": (f"delete {IN} -i photos --id 5 --yes", USAGE, ("no index named 'photos'", "pictures")),
    "add to no index": (f"index add {IN} -i photos", USAGE, ("no index named 'photos'", "known: pictures")),
    "add to no alias": (f"index add {IN} -i pictures -a next", USAGE, ("next", "known: live")),
    "compact no index": (f"index compact {IN} -i photos", USAGE, ("no index named 'photos'", "known: pictures")),
    "prune no index": (f"index prune {IN} -i photos", USAGE, ("no index named 'photos'", "known: pictures")),
    "prune below 0": (f"index prune {IN} -i pictures --rollbacks -1", USAGE, ("rollbacks = -1", "a number from 0")),
    "nothing to evaluate": ("evaluate", USAGE, ("--protocol or --index",)),
    "unknown protocol": ("evaluate -p imagenet", USAGE, ("'imagenet'", "fashion-mnist")),
    "protocol without folder": ("evaluate -p folder", USAGE, ("folder", "--data-dir")),
    "protocol folder missing": ("evaluate -p folder --data-dir nowhere", USAGE, ("nowhere", "no such folder")),
    "misspelt setting": (
        f"status {IN} --config misspelt.yaml",
        USAGE,
        ("misspelt.yaml", "'encode.devise'", "'device'"),
    ),
    "settings not YAML": (f"status {IN} --config broken.yaml", USAGE, ("broken.yaml", "YAML")),
    "setting of wrong type": (f"status {IN} --config wrong.yaml", USAGE, ("encode.num_encoders", "'many'")),
    "missing settings": (f"status {IN} --config none.yaml", USAGE, ("none.yaml", "readable YAML")),
    "settings are a folder": (f"status {IN} --config empty", USAGE, ("empty", "readable YAML")),
    "unknown method": (f"{TRAIN} -m pca", USAGE, ("'pca'", "itq, lsh")),
    "unknown features": (f"{TRAIN} -f sift", USAGE, ("'sift'", "hog")),
    "unknown feature setting": (f"{TRAIN} --feature-set size=3", USAGE, ("size", "side")),
    "malformed feature setting": (f"{TRAIN} --feature-set side", USAGE, ("--feature-set side", "name=value")),
    "feature setting out of range": (f"{TRAIN} -f pixels --feature-set side=0", USAGE, ("side = 0", "expected")),
    "unknown method setting": (f"{TRAIN} --method-set tables=3", USAGE, ("tables", "itq")),
    "no bits": (f"{TRAIN} -b 0", USAGE, ("--num-bits", "equal to 1")),
    "model name": ("train -C new -n a/b -s pictures", USAGE, ("'a/b'", "letters")),
    "source to train on is not there": ("train -C new -n m -s nowhere", USAGE, ("nowhere", "no such file")),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(complain: Complain, name: str) -> None:
    command, exit_code, words = REFUSALS[name]
    complaint = complain(command)
    assert complaint.exit_code == exit_code
    for word in words:
        assert word in complaint.line


def test_refused_training_leaves_no_catalog(complain: Complain, desk: Desk) -> None:
    complain(f"{TRAIN} -m pca")
    assert not (desk.folder / "new").exists()


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
def test_corrupted_model_is_named(complain: Complain, desk: Desk, tmp_path: Path, file: str) -> None:
    shutil.copytree(desk.catalog, tmp_path / "catalog")
    damaged = tmp_path / "catalog" / "models" / "lsh12" / "00001" / file
    flipped = bytearray(damaged.read_bytes())
    flipped[-30] ^= 1
    damaged.write_bytes(flipped)
    complaint = complain(f"query -C {tmp_path}/catalog -i pictures --image pictures/0.png")
    assert complaint.exit_code == FAILED
    assert str(damaged) in complaint.line
    assert "train the model again" in complaint.line


@pytest.mark.parametrize(
    ("command", "thing"),
    [
        ("status -C s3://no-such-bucket/catalog", "catalog s3://no-such-bucket/catalog"),
        ("train -C s3://no-such-bucket/catalog -n m -s pictures", "catalog s3://no-such-bucket/catalog"),
        (f"{ENCODE} -c c -s s3://no-such-bucket/pictures", "source s3://no-such-bucket/pictures"),
    ],
)
def test_missing_bucket(complain: Complain, s3_server: S3Server, command: str, thing: str) -> None:
    complaint = complain(command)
    assert complaint.exit_code == USAGE
    assert thing in complaint.line
    assert "bucket s3://no-such-bucket" in complaint.line


def test_s3_without_credentials(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    line = command_line.complaint("status", "-C", f"{s3_server.uri}/catalog", exit_code=FAILED)
    assert s3_server.uri in line
    assert "credentials" in line


@pytest.mark.ray
def test_more_bits_than_features(desk: Desk) -> None:
    """Known only once a picture was read, by the trainer."""
    options = ("-m", "itq", "-b", "100", "-f", "pixels", "--feature-set", "side=2")
    line = command_line.complaint(
        "train", "-C", desk.folder / "new", "-n", "m", "-s", desk.folder / "pictures", *options, exit_code=USAGE
    )
    assert "num_bits = 100" in line
    assert not (desk.folder / "new" / "models").exists()


def test_a_process_says_the_same(desk: Desk, complain: Complain) -> None:
    """The refusals above run in this process; a command of its own says the same line."""
    line = command_line.complaint("query", "-C", desk.catalog, "-i", "photos", "--code", CODE, exit_code=USAGE)
    assert line == f"bitquarry: {complain(f'query {IN} -i photos --code {CODE}').line}"


def test_an_answer_is_no_refusal(complain: Complain) -> None:
    """Self-test: a command that works does not pass for a refusal."""
    with pytest.raises(AssertionError):
        complain(f"{QUERY} --code {CODE[:3]}0")


def test_json_is_one_object(desk: Desk) -> None:
    """Of every command that answers without Ray; those with Ray are tried in `end_to_end`."""
    folder, index = desk.folder, ("-C", desk.catalog, "-i", "pictures")
    for words in (
        ("status", "-C", desk.catalog),
        ("alias", "list", *index),
        ("index", "list", "-C", desk.catalog),
        ("index", "verify", *index),
        ("query", *index, "--code", CODE[:3] + "0"),
        ("plan", "-C", desk.catalog, "-c", "c", "-m", "lsh12", "-s", folder / "pictures"),
    ):
        assert isinstance(json.loads(command_line.run(*words, "--json")), dict)
