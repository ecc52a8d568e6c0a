"""Seconds of an epoch of APHash, with few anchors and with every item as an anchor.

    python -m benchmarks.bench_aphash_cost

With m anchors an epoch looks at m x n pairs. The comparator looks at all n x n, as methods do that keep a distribution
over every pair (SePH); it is the same program, so the number of pairs is the only difference. Exits with 1 when
the seconds do not grow with the pairs: about in proportion to n with anchors, and to its square without.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.repeat_timer import repeat_timer
from benchmarks.result_file import Measurement, measured_here
from operators.hashers.anchor_neighborhoods import anchor_neighborhoods
from operators.hashers.anchor_probability_run import AnchorProbabilityPlan, AnchorProbabilityRun, RelaxedCodes
from operators.hashers.spread_codes import spread_codes
from operators.training.neighborhood_divergence import NeighborhoodDivergence

ALL_ITEMS = "all_items"
NEIGHBOR_SHARE = 0.1
_NUM_DIMS = 64
_NUM_CLUSTERS = 10
_LARGEST_EXPONENT = 1.3
_SMALLEST_EXPONENT_OF_ALL = 1.6


@dataclass(frozen=True, kw_only=True)
class CostRun:
    """The number of anchors is one of `num_anchors`, or that of the items."""

    num_items: tuple[int, ...] = (2000, 4000, 8000)
    num_anchors: tuple[int, ...] = (300, 600)
    num_bits: int = 32
    num_repeats: int = 5


def clustered_items(num_items: int) -> NDArray[np.float32]:
    """float32 `(num_items, 64)` around ten centres; what an epoch costs does not depend on the values."""
    random = np.random.default_rng(0)
    centres = 3 * random.standard_normal((_NUM_CLUSTERS, _NUM_DIMS))
    owners = random.integers(0, _NUM_CLUSTERS, num_items)
    return (centres[owners] + random.standard_normal((num_items, _NUM_DIMS))).astype(np.float32)


def random_anchors(num_items: int, num_anchors: int) -> NDArray[np.int64]:
    """int64 `(num_anchors,)`: different items."""
    return np.random.default_rng(1).permutation(num_items)[:num_anchors]


def neighborhoods(num_items: int, num_anchors: int) -> NDArray[np.bool_]:
    """bool `(num_items, num_anchors)`, of anchors drawn at random."""
    anchors = random_anchors(num_items, num_anchors)
    return anchor_neighborhoods(clustered_items(num_items), anchors, round(NEIGHBOR_SHARE * num_items))


def epoch_seconds(num_items: int, num_anchors: int, run: CostRun) -> tuple[float, ...]:
    """Of several epochs of one training."""
    plan = AnchorProbabilityPlan(
        num_epochs=run.num_repeats + 1,
        rate=0.1,
        binary_weight=1.0,
        device="cpu",
    )
    first = spread_codes(clustered_items(num_items), num_bits=run.num_bits, scale=1e-4, seed=0)
    codes = RelaxedCodes(first, random_anchors(num_items, num_anchors))
    training = AnchorProbabilityRun(neighborhoods(num_items, num_anchors), codes, plan, lambda anchors, items: None)
    epochs = iter(range(plan.num_epochs))
    return repeat_timer(lambda: training.run_epoch(next(epochs)), num_repeats=run.num_repeats)


def measure(run: CostRun) -> dict[str, dict[int, tuple[float, ...]]]:
    """Seconds by `m<number of anchors>` or `all_items`, and by number of items."""
    columns: dict[str, int | None] = {**{f"m{number}": number for number in run.num_anchors}, ALL_ITEMS: None}
    return {
        name: {n: epoch_seconds(n, n if num_anchors is None else num_anchors, run) for n in run.num_items}
        for name, num_anchors in columns.items()
    }


def check_gradients(num_items: int, num_anchors: int) -> None:
    """What is timed is the gradient of the divergence as it is written. Raises RuntimeError where it is not."""
    members = torch.from_numpy(neighborhoods(num_items, num_anchors))
    generator = torch.Generator().manual_seed(0)
    anchors, items = (torch.randn(rows, 16, generator=generator) for rows in (num_anchors, num_items))
    h, b = anchors.double().requires_grad_(), items.double().requires_grad_()
    similar = 1 / (1 + (h[None] - b[:, None]).square().sum(dim=2) / 4)
    targets = members.double() / members.sum(dim=0)
    expected = torch.autograd.grad(-(targets * (similar / similar.sum(dim=0)).log()).sum(), (h, b))
    divergence = NeighborhoodDivergence(members)
    found = (divergence.anchor_gradient(anchors, items), divergence.item_gradient(anchors, items))
    for side, ours, theirs in zip(("anchors", "items"), found, expected, strict=True):
        error = float((ours - theirs).norm() / theirs.norm())
        if not error < 1e-4:
            raise RuntimeError(f"gradient of {side}: relative error {error:.1e}, expected less than 1e-4")


def growth_exponents(seconds: Mapping[str, Mapping[int, Sequence[float]]]) -> dict[str, float]:
    """Per column the e of seconds ~ n^e, between the fewest and the most items."""
    exponents = {}
    for name, by_size in seconds.items():
        low, high = min(by_size), max(by_size)
        exponents[name] = math.log(median(by_size[high]) / median(by_size[low])) / math.log(high / low)
    return exponents


def growth_faults(exponents: Mapping[str, float]) -> list[str]:
    """Columns that grow otherwise than their pairs, in words."""
    return [
        f"{name}: seconds grow as n^{exponent:.2f}"
        for name, exponent in exponents.items()
        if (exponent < _SMALLEST_EXPONENT_OF_ALL if name == ALL_ITEMS else exponent > _LARGEST_EXPONENT)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    run = CostRun(num_items=tuple(options.items), num_anchors=tuple(options.anchors), num_repeats=options.repeats)
    check_gradients(200, 40)
    seconds = measure(run)
    exponents = growth_exponents(seconds)
    faults = growth_faults(exponents)
    results = {
        f"{name}.n{num_items}.epoch_seconds": Measurement.of(values, "s")
        for name, by_size in seconds.items()
        for num_items, values in by_size.items()
    }
    for name, figure in results.items():
        print(f"{name}: {figure.median:.4f} s ({figure.lower_quartile:.4f} to {figure.upper_quartile:.4f})")
    result = measured_here(
        "aphash-cost",
        options.hardware,
        settings={
            "num_items": list(run.num_items),
            "num_anchors": list(run.num_anchors),
            "num_bits": run.num_bits,
            "num_threads": torch.get_num_threads(),
            "faults": list(faults),
        },
        results={**results, **{f"{name}.exponent": Measurement.of([e], "1") for name, e in exponents.items()}},
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    print("\n".join(faults) or "seconds grow as m x n, and as n x n with every item as an anchor")
    return 1 if faults else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_aphash_cost", __doc__)
    parser.add_argument("--items", type=int, nargs="+", default=list(CostRun.num_items))
    parser.add_argument("--anchors", type=int, nargs="+", default=list(CostRun.num_anchors))
    parser.add_argument("--repeats", type=int, default=CostRun.num_repeats)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
