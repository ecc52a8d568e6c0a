"""What machine and which versions figures were measured with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from pydantic import JsonValue

_DISTRIBUTIONS = ("bitquarry", "numpy", "pillow", "scikit-learn", "torch", "transformers")


def measured_machine(device: str) -> dict[str, JsonValue]:
    """CPU, cores this process may use, memory, GPU in use, system. No host or user names."""
    return {
        "cpu": _cpu_model(Path("/proc/cpuinfo")),
        "num_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": _gpu_name() if device == "cuda" else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def measured_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that figures may depend on."""
    versions = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _cpu_model(cpuinfo: Path) -> str:
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = (value for name, _, value in (line.partition(":") for line in lines) if name.strip() == "model name")
    return " ".join(next(names, platform.machine()).split())


def _gpu_name() -> str:
    import torch

    return str(torch.cuda.get_device_name())
