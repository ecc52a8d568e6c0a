import math

import pytest

from operators.errors import InvalidSetting
from operators.search.probing_costs import ProbingCosts


def test_a_scan_costs_its_words_and_queries_together_share_the_reading() -> None:
    costs = ProbingCosts(scanned_word=4e-10, shared_word=1e-10)
    assert costs.scan_seconds(1000, 72, 1) == pytest.approx(2000 * 4e-10)
    assert costs.scan_seconds(1000, 64, 64) == pytest.approx(1000 * 1e-10)
    assert ProbingCosts(scanned_word=math.inf).scan_seconds(1, 8, 1) == math.inf


@pytest.mark.parametrize("name", ["probe", "candidate", "scanned_word", "shared_word"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_refuses_what_is_no_duration(name: str, seconds: float) -> None:
    with pytest.raises(InvalidSetting, match=f"{name} = "):
        ProbingCosts(**{name: seconds})
