import pytest

from operators.errors import InvalidSetting
from pipeline.errors import UsageError
from pipeline.evaluation.method_run import MethodRun


@pytest.mark.parametrize(
    ("run", "ranking"),
    [
        (MethodRun(method="lsh", num_bits=8), "hamming"),
        (MethodRun(method="lsh", num_bits=8, num_tables=2), "collisions"),
        (MethodRun(method="lsh", num_bits=8, num_tables=2, ranking="rerank"), "rerank"),
        (MethodRun(method="pq", num_bits=8), "asymmetric"),
        (MethodRun(method="pq", num_bits=8, ranking="symmetric"), "symmetric"),
    ],
)
def test_the_ranking_goes_with_the_codes(run: MethodRun, ranking: str) -> None:
    assert run.ranking_of(run.hasher(0)) == ranking


def test_settings_reach_the_hasher() -> None:
    hasher = MethodRun(method="lsh", num_bits=8, num_tables=2, settings={"center": False}).hasher(5)
    assert {"num_tables": 2, "center": False, "seed": 5}.items() <= hasher.settings().items()
    with pytest.raises(InvalidSetting, match="num_tables"):
        MethodRun(method="itq", num_bits=8, num_tables=2).hasher(0)


def test_a_ranking_of_other_codes_is_refused() -> None:
    run = MethodRun(method="pq", num_bits=8, ranking="hamming")
    with pytest.raises(UsageError, match="hamming does not go with the quantized codes of pq"):
        run.ranking_of(run.hasher(0))
