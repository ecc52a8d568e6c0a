"""A skip is listed with its remedy, and is a failure where everything is required."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SKIPPING_TESTS = """
    import pytest

    @pytest.fixture
    def pictures():
        pytest.skip("pictures are not installed: apt-get install pictures")

    def test_by_fixture(pictures): ...
    def test_by_call(): pytest.skip("pictures are not installed: apt-get install pictures")
    @pytest.mark.gpu
    def test_gpu(): pytest.skip("no GPU")
    @pytest.mark.xfail
    def test_expected_failure(): assert False
    def test_runs(): ...
"""


@pytest.fixture
def skipping(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(SKIPPING_TESTS)
    pytester.makeini("[pytest]\nmarkers = gpu: needs a GPU\n")
    return pytester


def run(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "tests.loud_skips", "-p", "no:cacheprovider")


def test_skips_are_listed_with_what_to_install(skipping: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BITQUARRY_REQUIRE_ALL", raising=False)
    result = run(skipping)
    result.assert_outcomes(passed=1, skipped=3, xfailed=1)
    result.stdout.fnmatch_lines(
        ["*NOT TESTED HERE*", "1 skipped: no GPU", "2 skipped: pictures are not installed: apt-get install pictures"]
    )


def test_required_skips_fail_except_for_gpus(skipping: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITQUARRY_REQUIRE_ALL", "1")
    result = run(skipping)
    result.assert_outcomes(passed=1, failed=1, errors=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*skipped although BITQUARRY_REQUIRE_ALL=1: pictures are not installed*"])


def test_a_module_that_skips_itself_fails_too(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITQUARRY_REQUIRE_ALL", "1")
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_library')")
    run(pytester).assert_outcomes(errors=1)
