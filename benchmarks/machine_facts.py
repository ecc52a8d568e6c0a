"""What machine and which versions a number was measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch
from pydantic import JsonValue

REPORTED_DISTRIBUTIONS = (
    "bitquarry",
    "deltalake",
    "faiss-cpu",
    "faiss-gpu-cu12",
    "numpy",
    "pillow",
    "pyarrow",
    "ray",
    "torch",
    "transformers",
)


def machine_facts() -> dict[str, JsonValue]:
    """CPU model, cores this process may use, memory, GPUs, operating system. No host or user names."""
    return {
        "cpu": cpu_model(Path("/proc/cpuinfo")),
        "num_cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def library_versions() -> dict[str, str]:
    """Versions of Python and of the installed ones of `REPORTED_DISTRIBUTIONS`."""
    versions = {"python": platform.python_version()}
    for name in REPORTED_DISTRIBUTIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def cpu_model(cpuinfo: Path) -> str:
    """The first "model name" of a /proc/cpuinfo file; the architecture where the file names none."""
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return platform.machine()


def hardware_name() -> str:
    """Lower-case words of the CPU model, such as "amd-epyc": what result files are named by."""
    return re.sub(r"[^a-z0-9]+", "-", cpu_model(Path("/proc/cpuinfo")).lower()).strip("-") or platform.machine()
