"""What is recorded of the machine."""

import getpass
import json
import platform
import socket
from importlib.metadata import version
from pathlib import Path

from benchmarks.machine_facts import cpu_model, library_versions, machine_facts


def test_facts_are_plain_json_with_cores_and_memory() -> None:
    facts = json.loads(json.dumps(machine_facts()))
    assert facts["num_cores"] >= 1
    assert facts["memory_bytes"] > 2**28
    assert facts["cpu"]


def test_facts_name_no_host() -> None:
    text = json.dumps(machine_facts())
    assert f'"{socket.gethostname()}"' not in text
    assert f'"{getpass.getuser()}"' not in text


def test_versions_are_the_installed_ones() -> None:
    versions = library_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == version("numpy")
    assert "faiss-gpu-cu12" not in versions or "faiss-cpu" not in versions


def test_cpu_model_is_read_from_cpuinfo(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some  CPU @ 2GHz\nmodel name\t: other\n", encoding="utf-8")
    assert cpu_model(cpuinfo) == "Some CPU @ 2GHz"
    cpuinfo.write_text("processor\t: 0\n", encoding="utf-8")
    assert cpu_model(cpuinfo) == platform.machine()
