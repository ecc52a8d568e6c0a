"""`MethodRun`: one method to evaluate, with its settings and how its codes are ranked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from operators.features.feature_extractor import Json
from operators.hashers.hasher import Hasher
from operators.hashers.hasher_registry import create_hasher
from pipeline.errors import UsageError
from pipeline.evaluation.code_distances import Ranking
from pipeline.evaluation.retrieval_report import DatabaseCodes


@dataclass(frozen=True, kw_only=True)
class MethodRun:
    """`num_bits` counts bits per table; `settings` go to the hasher (`center` of lsh, …).

    `ranking` defaults to `hamming` for one table, `collisions` for several, and `asymmetric` for quantized codes;
    `unquantized` ranks by the real vectors that an ablation of spdaq has in place of codes.
    `database`: its codes are "encoded" as any others are, or "learned": those the method found for its training items.
    """

    method: str
    num_bits: int
    num_tables: int = 1
    ranking: Ranking | None = None
    settings: Mapping[str, Json] = field(default_factory=dict)
    database: DatabaseCodes = "encoded"

    def ranking_of(self, hasher: Hasher) -> Ranking:
        """The ranking asked for, or the default. Raises `UsageError` for one that the kind of codes does not have."""
        quantized = hasher.code_kind == "quantized"
        default: Ranking = "asymmetric" if quantized else "hamming" if self.num_tables == 1 else "collisions"
        chosen = self.ranking or default
        if quantized != (chosen in ("asymmetric", "symmetric", "unquantized")):
            raise UsageError(f"ranking {chosen} does not go with the {hasher.code_kind} codes of {self.method}")
        return chosen

    def learns_as(self, other: MethodRun) -> bool:
        """Whether both learn the same, and differ at most in what is ranked then, and how."""
        return replace(self, ranking=other.ranking, database=other.database) == other

    def hasher(self, seed: int) -> Hasher:
        """Raises `InvalidSetting` for an unknown method or setting (several tables are a setting of lsh)."""
        tables = {"num_tables": self.num_tables} if self.num_tables != 1 else {}
        return create_hasher(self.method, num_bits=self.num_bits, seed=seed, **tables, **self.settings)
