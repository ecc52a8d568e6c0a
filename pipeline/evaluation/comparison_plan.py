"""Which methods a comparison runs: every one, at every code length, with the seeds and features that it needs."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from operators.errors import InvalidSetting
from operators.features.feature_extractor import Json
from operators.hashers.hasher import Hasher
from operators.hashers.hasher_registry import hasher_class, method_names
from pipeline.errors import UsageError
from pipeline.evaluation.method_evaluation import learns_by_epochs
from pipeline.evaluation.method_run import MethodRun

PIXELS = "pixels"
FEATURE_RULE = "methods whose network looks at pictures learn from pixels, all others from the features asked for"


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """`features`: of every method that takes them. `num_seeds`: for methods that learn by epochs; the others run once.

    `method_settings` are laid over the defaults of every method that has a setting of that name.
    """

    features: str
    methods: tuple[str, ...] = ()
    num_bits: tuple[int, ...] = (16, 32, 64)
    num_seeds: int = 3
    method_settings: Mapping[str, Json] = field(default_factory=dict)

    def fits(self) -> tuple[list[PlannedFit], list[LeftOut]]:
        """What to fit, and what cannot be at a code length, with the reason.

        Raises `UsageError` for settings that no method has, `InvalidSetting` for wrong values.
        """
        if not self.num_bits or self.num_seeds < 1:
            raise UsageError("a comparison needs at least one code length and one seed")
        methods = self.methods or method_names()
        self._require_known_settings(methods)
        fits: list[PlannedFit] = []
        left_out: list[LeftOut] = []
        for method in methods:
            seeds = range(self.num_seeds if learns_by_epochs(hasher_class(method)) else 1)
            for bits in self.num_bits:
                run = MethodRun(method=method, num_bits=bits, settings=self._own_settings(method))
                try:
                    fits += [self._fit(run, seed) for seed in seeds]
                except InvalidSetting as error:
                    if error.name != f"{method}.num_bits":
                        raise
                    left_out.append(LeftOut(method=method, num_bits=bits, reason=str(error)))
        return fits, left_out

    def _fit(self, run: MethodRun, seed: int) -> PlannedFit:
        hasher = run.hasher(seed)
        looks_at_pictures = hasher.settings().get("network", "mlp") != "mlp"
        return PlannedFit(run=run, seed=seed, hasher=hasher, features=PIXELS if looks_at_pictures else self.features)

    def _own_settings(self, method: str) -> dict[str, Json]:
        known = _setting_names(method)
        return {name: value for name, value in self.method_settings.items() if name in known}

    def _require_known_settings(self, methods: tuple[str, ...]) -> None:
        known = {name for method in methods for name in _setting_names(method)}
        for name in self.method_settings:
            if name not in known or name in ("num_bits", "seed"):
                raise UsageError(f"--method-set {name}: no method compared has this setting")


@dataclass(frozen=True, kw_only=True)
class PlannedFit:
    """One method to fit with one seed on the named features; `hasher` is new."""

    run: MethodRun
    seed: int
    hasher: Hasher
    features: str

    @property
    def title(self) -> str:
        return f"{self.run.method}, {self.run.num_bits} bits, {self.features}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A method without figures at one code length, and why."""

    method: str
    num_bits: int
    reason: str


def method_source_sha256(method: str) -> str:
    """Digest of the source files of the method's class and its bases: figures of an older form are not its figures."""
    files = {
        inspect.getfile(cls) for cls in hasher_class(method).__mro__ if cls.__module__.split(".", 1)[0] == "operators"
    }
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def _setting_names(method: str) -> frozenset[str]:
    settings_type = getattr(hasher_class(method), "settings_type", None)
    return frozenset(getattr(settings_type, "__dataclass_fields__", ()))
