from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.jobs.bench_sizes import check_sizes


@pytest.mark.parametrize("num_bits", [8, 64, 4096])
def test_sizes_that_can_be_measured(num_bits: int) -> None:
    check_sizes(num_bits, num_codes=1, num_queries=7)


@pytest.mark.parametrize("num_bits", [-8, 0, 7, 65, 4104])
def test_a_width_that_is_no_whole_number_of_bytes_is_refused(num_bits: int) -> None:
    with pytest.raises(UsageError, match=f"num_bits = {num_bits}: expected a multiple of 8 from 8 to 4096"):
        check_sizes(num_bits)


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_under_one_is_refused_by_name(count: int) -> None:
    with pytest.raises(UsageError, match=f"num_queries = {count}: expected at least 1"):
        check_sizes(64, num_codes=5, num_queries=count)
