"""`run_bitquarry`: the command as users start it, timed from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "pipeline.cli.app")


def run_bitquarry(*arguments: str | int | Path) -> tuple[dict[str, Any], float]:
    """What the command printed (give it `--json`) and how many seconds it took from start to end.

    Raises subprocess.CalledProcessError when it fails.
    """
    started = time.perf_counter()
    finished = subprocess.run([*COMMAND, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - started
    return json.loads(finished.stdout), seconds
