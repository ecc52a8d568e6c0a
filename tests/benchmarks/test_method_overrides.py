from benchmarks.method_overrides import overrides_of, parsed_overrides


def test_settings_of_one_method_go_before_those_of_every_method() -> None:
    overrides = parsed_overrides(["dsh.num_epochs=8", "num_epochs=3", "network=mlp", "augment=true", "spdaq.rate=0.1"])
    assert overrides_of("dsh", overrides) == {"num_epochs": 8, "network": "mlp", "augment": True}
    assert overrides_of("spdaq", overrides) == {"num_epochs": 3, "network": "mlp", "augment": True, "rate": 0.1}
    assert overrides_of("dsh-balanced", overrides) == {"num_epochs": 3, "network": "mlp", "augment": True}
