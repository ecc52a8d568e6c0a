import pytest

from operators.errors import InvalidSetting
from operators.hashers.hasher_registry import method_names
from pipeline.errors import UsageError
from pipeline.evaluation.comparison_plan import ComparisonPlan, method_source_sha256


def test_every_method_is_planned_at_every_length() -> None:
    fits, left_out = ComparisonPlan(features="hog").fits()
    assert {(fit.run.method, fit.run.num_bits) for fit in fits} == {
        (method, bits) for method in method_names() for bits in (16, 32, 64)
    }
    assert left_out == []


def test_methods_that_learn_by_epochs_have_several_seeds() -> None:
    fits, _ = ComparisonPlan(features="hog", methods=("dsh", "itq"), num_bits=(16,), num_seeds=2).fits()
    assert [(fit.run.method, fit.seed) for fit in fits] == [("dsh", 0), ("dsh", 1), ("itq", 0)]
    assert [fit.hasher.settings()["seed"] for fit in fits] == [0, 1, 0]


def test_picture_networks_learn_from_pixels() -> None:
    plan = ComparisonPlan(features="hog", methods=("dsh", "dvb", "itq"), num_bits=(16,), num_seeds=1)
    assert [fit.features for fit in plan.fits()[0]] == ["pixels", "hog", "hog"]
    mlp = ComparisonPlan(features="hog", methods=("dsh",), num_seeds=1, method_settings={"network": "mlp"})
    assert {fit.features for fit in mlp.fits()[0]} == {"hog"}


def test_settings_go_to_the_methods_that_have_them() -> None:
    settings = {"num_epochs": 1, "num_iterations": 7}
    plan = ComparisonPlan(features="hog", methods=("dsh", "itq"), num_bits=(16,), num_seeds=1, method_settings=settings)
    dsh, itq = (fit.hasher.settings() for fit in plan.fits()[0])
    assert (dsh["num_epochs"], itq["num_iterations"]) == (1, 7)


def test_a_length_that_a_method_does_not_have_is_left_out_with_the_reason() -> None:
    fits, left_out = ComparisonPlan(features="hog", methods=("pq", "itq"), num_bits=(12, 16)).fits()
    assert [(fit.run.method, fit.run.num_bits) for fit in fits] == [("pq", 16), ("itq", 12), ("itq", 16)]
    assert [(item.method, item.num_bits) for item in left_out] == [("pq", 12)]
    assert "multiple of 8" in left_out[0].reason


@pytest.mark.parametrize("name", ["num_moons", "seed", "num_bits"])
def test_settings_that_no_method_has_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"--method-set {name}"):
        ComparisonPlan(features="hog", method_settings={name: 1}).fits()


def test_wrong_values_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="num_epochs"):
        ComparisonPlan(features="hog", methods=("dsh",), method_settings={"num_epochs": 0}).fits()
    with pytest.raises(UsageError, match="one code length"):
        ComparisonPlan(features="hog", num_bits=()).fits()


def test_methods_have_sources_of_their_own() -> None:
    assert method_source_sha256("itq") == method_source_sha256("itq") != method_source_sha256("lsh")
