"""Settings are checked one by one, and the message names the one that is wrong."""

from __future__ import annotations

import pytest

from operators.errors import InvalidSetting
from operators.features.setting_checks import (
    require_arguments,
    require_bool,
    require_choice,
    require_int,
    require_names,
    require_number,
    require_text,
)


class _Owner:
    def __init__(self, *, needed: int, spare: int = 2) -> None: ...


def test_right_values_are_returned() -> None:
    assert require_int("side", 3, minimum=1, maximum=3) == 3
    assert require_number("weight", 2, minimum=1, maximum=2.5) == 2.0
    assert require_bool("gray", False) is False
    assert require_text("folder", "x") == "x"
    assert require_choice("pooling", "cls", ("cls", "mean")) == "cls"
    require_names("hog", {"side": 1}, {"side"})
    require_arguments("owner", _Owner, {"needed": 1})


@pytest.mark.parametrize("value", [0, 4, True, 2.0, "2", None])
def test_int_out_of_range_or_of_another_type(value: object) -> None:
    with pytest.raises(InvalidSetting, match=r"hog.side = .*: expected a whole number from 1 to 3"):
        require_int("hog.side", value, minimum=1, maximum=3)


@pytest.mark.parametrize("value", [0.5, 3, float("nan"), float("inf"), True, "2", None])
def test_number_out_of_range_or_of_another_type(value: object) -> None:
    with pytest.raises(InvalidSetting, match=r"weight = .*: expected a number from 1 to 2.5"):
        require_number("weight", value, minimum=1, maximum=2.5)


@pytest.mark.parametrize("value", [0, "true", None])
def test_bool_of_another_type(value: object) -> None:
    with pytest.raises(InvalidSetting, match="true or false"):
        require_bool("gray", value)


@pytest.mark.parametrize("value", ["", 3, None])
def test_text_of_another_type(value: object) -> None:
    with pytest.raises(InvalidSetting, match="non-empty text"):
        require_text("folder", value)


@pytest.mark.parametrize("value", ["max", 3])
def test_unknown_choice(value: object) -> None:
    with pytest.raises(InvalidSetting, match="one of cls, mean"):
        require_choice("pooling", value, ("cls", "mean"))


def test_unknown_and_missing_names() -> None:
    with pytest.raises(InvalidSetting, match=r"hog.colour = 1: expected one of side"):
        require_names("hog", {"side": 1, "colour": 1}, {"side"})
    with pytest.raises(InvalidSetting, match=r"hog.side = missing"):
        require_names("hog", {}, {"side"})


def test_arguments_with_a_default_may_be_left_out_others_not() -> None:
    with pytest.raises(InvalidSetting, match=r"owner.needed = missing"):
        require_arguments("owner", _Owner, {"spare": 1})
    with pytest.raises(InvalidSetting, match=r"owner.other = 1: expected one of needed, spare"):
        require_arguments("owner", _Owner, {"needed": 1, "other": 1})
