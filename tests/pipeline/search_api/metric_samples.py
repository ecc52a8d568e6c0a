"""Samples of a Prometheus exposition, and promtool's opinion of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.search_api.service_metrics import ServiceMetrics

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def read_samples(text: str) -> Samples:
    """Values by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def samples_of(metrics: ServiceMetrics) -> Samples:
    return read_samples(metrics.render()[0].decode())


def sample(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def promtool() -> str:
    """The program; the test is skipped where the Debian package is not installed."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    return found


def complaints_of(text: bytes) -> str:
    """What `promtool check metrics` finds wrong, "" when nothing."""
    checked = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, check=False)
    said = (checked.stdout + checked.stderr).decode()
    return said if checked.returncode or said else ""
