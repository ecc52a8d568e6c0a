from benchmarks.bench_encode_memory import growth_faults, summarise

_MIB = 2**20


def test_growth_is_named_and_noise_is_not() -> None:
    small = {"driver": (100 * _MIB, 0), "encoder": (100 * _MIB, 0), "decoder": (400 * _MIB, 0), "other": (1, 1)}
    large = {"driver": (115 * _MIB, 0), "encoder": (117 * _MIB, 0), "decoder": (439 * _MIB, 0)}
    assert growth_faults(small, large) == ["encoder: 100 MiB, then 117 MiB"]


def test_figures_are_named_by_size_and_role() -> None:
    figures = summarise({20: [{"driver": (5, 7)}, {"driver": (9, 8)}]})
    assert set(figures) == {"20.driver.own_bytes", "20.driver.resident_bytes"}
    assert figures["20.driver.own_bytes"].median == 7
