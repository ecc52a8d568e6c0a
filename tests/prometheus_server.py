"""A real Prometheus on loopback that scrapes one address each second."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

START_SECONDS = 60.0


@dataclass(frozen=True)
class PrometheusServer:
    url: str

    def values(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """What the expression is now, by the labels of each series."""
        with urllib.request.urlopen(
            f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        ) as reply:
            series = json.load(reply)["data"]["result"]
        return {_labels(each["metric"]): float(each["value"][1]) for each in series}

    def wait_for(self, expression: str, is_right: Callable[[list[float]], bool]) -> list[float]:
        """The values of an expression as soon as they are right, or as they are at the end of the time."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            found = sorted(self.values(expression).values())
            if is_right(found) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)


@contextmanager
def prometheus_server(target: str, folder: Path) -> Iterator[PrometheusServer]:
    """Scrapes `target` (host:port) under the job name of `deploy/monitoring`. Skips where Prometheus is missing."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed (Debian package prometheus)")
    job = {"job_name": "bitquarry", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"scrape_configs": [job]}), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        _wait_until_ready(f"http://{address}/-/ready", process, folder / "prometheus.log")
        yield PrometheusServer(f"http://{address}")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"Prometheus did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _labels(metric: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(metric.items()))
