import platform

from pipeline.evaluation.measured_machine import measured_machine, measured_versions


def test_the_machine_is_described_without_its_name() -> None:
    machine = measured_machine("cpu")
    assert set(machine) == {"cpu", "num_cores", "memory_bytes", "gpu", "system"}
    assert machine["gpu"] is None
    assert isinstance(machine["num_cores"], int)
    assert machine["num_cores"] >= 1
    assert platform.node() not in str(machine)


def test_versions_name_what_is_installed() -> None:
    versions = measured_versions()
    assert versions["python"] == platform.python_version()
    assert {"bitquarry", "numpy", "torch"} <= set(versions)
