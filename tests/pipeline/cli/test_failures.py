"""Errors to exit codes: one line each, whatever the command was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer

from operators.errors import InvalidSetting
from pipeline.cli.failures import run_command
from pipeline.errors import CorruptFile, GateFailed, ModelMismatch, PipelineError, TaskFailed, UnknownName


def failing(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "exit_code", "line"),
    [
        (PipelineError("no\nlines"), 1, "bitquarry: no lines"),
        (TaskFailed("a task failed 3 times"), 1, "bitquarry: a task failed 3 times"),
        (CorruptFile("/c/f", "cut", "build it again"), 1, "bitquarry: /c/f is corrupt: cut; build it again"),
        (UnknownName("model", "m"), 2, "bitquarry: no model named 'm'; there is none yet"),
        (InvalidSetting("side", "0", "1 or more"), 2, "bitquarry: side = 0: expected 1 or more"),
        (
            typer.BadParameter("'x' is no number"),
            2,
            "bitquarry: Invalid value: 'x' is no number. Try 'bitquarry --help'.",
        ),
        (ModelMismatch("index p", "a" * 64, "b" * 64), 4, f"bitquarry: index p holds codes of model {'a' * 64}, "),
        (GateFailed("mAP fell"), 5, "bitquarry: mAP fell"),
        (KeyboardInterrupt(), 130, "bitquarry: interrupted; what was finished is kept, "),
        (typer.Abort(), 130, "bitquarry: interrupted; what was finished is kept, "),
    ],
)
def test_an_error_is_one_line_and_its_code(
    error: BaseException, exit_code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(failing(error)) == exit_code
    output, complaints = capsys.readouterr()
    assert output == ""
    assert complaints.startswith(line)
    assert complaints.count("\n") == 1


@pytest.mark.parametrize(("result", "exit_code"), [(None, 0), (0, 0), (3, 3)])
def test_an_answer_has_no_complaint(result: object, exit_code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(lambda: result) == exit_code
    assert capsys.readouterr() == ("", "")


def test_what_typer_makes_of_control_c_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(lambda: 130) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 // 0)
