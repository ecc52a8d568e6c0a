"""Errors to one line on stderr and the documented exit code; never a traceback for a fault we know."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from operators.errors import OperatorError
from pipeline.errors import PipelineError
from pipeline.interrupts import remembered_interrupts

# Typer carries its own copy of click; these are the classes of that copy, whichever it is.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_ClickException: type[Exception] = _UsageError.__bases__[0]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DONE_WITH_REJECTS = 3
EXIT_INTERRUPTED = 130


def run_command(command: Callable[[], object]) -> int:
    """Run a Typer command (standalone mode off) and give the process's exit code."""
    try:
        with remembered_interrupts():
            result = command()
    except typer.Abort:
        return _interrupted()
    except KeyboardInterrupt:
        return _interrupted()
    except typer.Exit as error:
        return error.exit_code
    except _UsageError as error:
        return _usage(error)
    except _ClickException as error:
        return _say(_message(error), EXIT_FAILED)
    except PipelineError as error:
        return _say(str(error), error.exit_code)
    except OperatorError as error:
        return _say(str(error), EXIT_USAGE)
    except BrokenPipeError:
        return EXIT_FAILED
    if result == EXIT_INTERRUPTED:  # what Typer makes of Ctrl-C
        return _interrupted()
    return result if isinstance(result, int) else EXIT_OK


def _usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "bitquarry"
    message = _message(error).strip() or "expected a command"
    stop = "" if message.endswith((".", "?", "!")) else "."
    return _say(f"{message}{stop} Try '{command} --help'.", EXIT_USAGE)


def _message(error: Exception) -> str:
    """A missing or unknown option states itself through `format_message`, which the public classes do not share."""
    formatted = getattr(error, "format_message", None)
    return str(formatted()) if formatted is not None else str(error)


def _interrupted() -> int:
    return _say("interrupted; what was finished is kept, run the same command again to go on", EXIT_INTERRUPTED)


def _say(message: str, exit_code: int) -> int:
    one_line = " ".join(message.split())
    print(f"bitquarry: {one_line}", file=sys.stderr)
    return exit_code
