"""`bitquarry query --url` prints what the same question of the catalog prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import app
from pipeline.search_api.api_keys import ApiKeys
from tests.pipeline.jobs.search_examples import picture
from tests.pipeline.search_api.running_service import running_service
from tests.pipeline.search_api.served_pictures import INDEX, ServedPictures, served

__all__ = ["served"]


class Shell:
    """Types `bitquarry query --index pictures …` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def query(self, *arguments: object, exit_code: int = 0) -> str:
        """What it printed; for another exit code than 0, what it complained."""
        self._monkeypatch.setattr("sys.argv", ["bitquarry", "query", "--index", INDEX, *map(str, arguments)])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        output, complaints = self._capfd.readouterr()
        assert ended.value.code == exit_code, complaints
        return output if exit_code == 0 else complaints


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.delenv("BITQUARRY_API_KEY", raising=False)
    return Shell(monkeypatch, capfd)


@pytest.mark.parametrize("by", ["image", "key", "id", "code"])
def test_text_and_json_are_those_of_the_catalog(served: ServedPictures, shell: Shell, tmp_path: Path, by: str) -> None:
    image = tmp_path / "8.png"
    image.write_bytes(picture(8))
    row = served.keys.index("8.png")
    value = {"image": image, "key": "8.png", "id": served.ids[row], "code": served.codes.to_hex()[row]}[by]
    asked = (f"--{by}", value, "--k", 7, "--radius", 6, "--where", "label!=class 1")
    local, remote = ("--catalog", served.catalog.catalog), ("--url", served.running.url)
    assert shell.query(*remote, *asked) == shell.query(*local, *asked)
    from_service, from_catalog = (json.loads(shell.query(*place, *asked, "--json")) for place in (remote, local))
    assert from_service.pop("timing_ms").keys() >= {"search", "payload"}
    from_catalog.pop("timing_ms")
    assert from_service == from_catalog
    assert from_service["hits"]


def test_the_key_comes_from_a_file_or_the_environment(
    served: ServedPictures, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, key = ApiKeys().with_new("reader", "read")
    key_file = tmp_path / "key"
    key_file.write_text(key + "\n")
    with running_service(served.catalog.catalog, INDEX, keys=keys) as locked:
        asked = ("--url", locked.url, "--key", "8.png")
        assert "answered 401: no key given" in shell.query(*asked, exit_code=1)
        expected = shell.query(*asked, "--api-key-file", key_file)
        assert "rank" in expected
        monkeypatch.setenv("BITQUARRY_API_KEY", key)
        assert shell.query(*asked) == expected
        key_file.write_text("bq_another")
        complaint = shell.query(*asked, "--api-key-file", key_file, exit_code=1)
        assert "unknown key" in complaint
        assert "bq_another" not in complaint


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("--key", "none"), 2, "holds no item with key 'none'"),
        (("--code", "00"), 2, "bits"),
        (("--key", "8.png", "--where", "colour=red"), 2, "no column 'colour'"),
        (("--key", "8.png", "--alias", "old", "--searchers", "2"), 2, "--alias and --searchers cannot go with --url"),
        (("--key", "8.png", "--api-key-file", "missing"), 2, "--api-key-file missing: No such file"),
        (("--key", "8.png", "--url", "http://127.0.0.1:9"), 1, "does not answer"),
        (("--key", "8.png", "--url", "127.0.0.1"), 2, "expected http://HOST:PORT"),
        (("--key", "8.png", "--id", "3"), 2, "got --key and --id"),
    ],
)
def test_what_goes_wrong_is_said_as_ever(
    served: ServedPictures, shell: Shell, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    complaint = shell.query("--url", served.running.url, *arguments, exit_code=exit_code)
    assert said in complaint
    assert complaint.startswith("bitquarry: ")
    assert complaint.count("\n") == 1
