"""The gate before a model is stored: codes that tell nothing apart are refused, with the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.metrics.code_health import CodeHealth
from pipeline.errors import GateFailed
from pipeline.settings import GateSettings

_DEAD_BITS_ALWAYS_ALLOWED = 1 / 4
_MOST_DEAD_BITS = 0.9


@dataclass(frozen=True, kw_only=True)
class CodeDemands:
    """What codes must have at least (at most, for dead bits: bits that are equal in every code)."""

    min_distinct_codes: int
    min_bit_entropy: float
    max_share_of_dead_bits: float


def demands_on_codes(settings: GateSettings, *, num_items: int, num_bits: int, num_classes: int | None) -> CodeDemands:
    """The settings, with what is null there filled in. `num_classes`: of a method that learns from labels, else None.

    Such a method may give every class one code: at least half as many codes as classes are asked for. Other methods are
    to tell pictures apart: at least the square root of the number of codes that there could be. C random codes leave a
    share 2^(1-C) of their bits constant; twice that is allowed, and one bit in four.
    """
    num_possible = min(num_items, 2 ** min(num_bits, 62))
    distinct = math.isqrt(num_possible) if num_classes is None else math.ceil(num_classes / 2)
    groups = num_items if num_classes is None else num_classes
    dead = min(_MOST_DEAD_BITS, _DEAD_BITS_ALWAYS_ALLOWED + 2 * 2.0 ** (1 - groups))
    given = settings.min_distinct_codes, settings.max_share_of_dead_bits
    return CodeDemands(
        min_distinct_codes=max(2, distinct) if given[0] is None else given[0],
        min_bit_entropy=settings.min_bit_entropy,
        max_share_of_dead_bits=dead if given[1] is None else given[1],
    )


def check_codes(health: CodeHealth, demands: CodeDemands) -> None:
    """Raises `GateFailed` saying every demand that is not met."""
    share_of_dead_bits = health.num_constant_bits / health.num_bits
    faults = []
    if health.num_distinct_codes < demands.min_distinct_codes:
        faults.append(f"{health.num_distinct_codes:,} distinct codes, at least {demands.min_distinct_codes:,} expected")
    if health.mean_bit_entropy < demands.min_bit_entropy:
        faults.append(f"bit entropy {health.mean_bit_entropy:.3f}, at least {demands.min_bit_entropy:g} expected")
    if share_of_dead_bits > demands.max_share_of_dead_bits:
        allowed = f"at most {demands.max_share_of_dead_bits:.0%} expected"
        faults.append(f"{health.num_constant_bits} of {health.num_bits} bits are equal in every code, {allowed}")
    if faults:
        raise GateFailed(
            f"the model was not stored: codes of {health.num_items:,} pictures have collapsed: {'; '.join(faults)}. "
            "Train longer, change the method's settings, loosen train.gate in the settings, or store it with --no-gate"
        )


def check_tensors(tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Raises `GateFailed` for NaN or infinity in a learned array: such a model cannot be used at all."""
    for name, tensor in tensors.items():
        if np.issubdtype(tensor.dtype, np.floating) and not np.isfinite(tensor).all():
            num_wrong = int(np.count_nonzero(~np.isfinite(tensor)))
            raise GateFailed(
                f"the model was not stored: {num_wrong:,} of {tensor.size:,} values of {name} are NaN or infinite; "
                "lower the learning rate or change the seed"
            )
