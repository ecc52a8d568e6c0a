"""`BinaryIvf` and `BinaryHnsw`: what an approximate index is to be, and how Faiss makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting

_MOST_PER_LIST = 256  # codes a centroid is learned from


@dataclass(frozen=True, kw_only=True)
class BinaryIvf:
    """Codes in `num_lists` lists by the nearest of as many centroids (learned with `seed`); a query looks through the
    `num_probes` lists nearest to it. Raises `InvalidSetting`."""

    kind: ClassVar[str] = "binary_ivf"

    num_lists: int
    num_probes: int
    seed: int = 0

    def __post_init__(self) -> None:
        _check_number("num_lists", self.num_lists, 1, 2**24)
        _check_number("num_probes", self.num_probes, 1, self.num_lists)
        _check_number("seed", self.seed, 0, 2**31 - 1)

    def new_index(self, faiss: Any, codes: BinaryCodes) -> Any:
        """Raises `InvalidSetting` for more lists than codes."""
        if self.num_lists > len(codes):
            raise InvalidSetting(
                "num_lists", str(self.num_lists), f"at most {len(codes)}, the number of distinct codes"
            )
        quantizer = faiss.IndexBinaryFlat(codes.num_bits)
        index = faiss.IndexBinaryIVF(quantizer, codes.num_bits, self.num_lists)
        index.cp.seed = self.seed
        index.cp.min_points_per_centroid = 1  # no advice on stderr
        index.cp.max_points_per_centroid = _MOST_PER_LIST
        index.train(codes.packed)
        index.add(codes.packed)
        return index

    def prepare(self, faiss: Any, index: Any) -> bool:
        """Set what a search reads. False where `index` is none of this kind and these lists."""
        if not isinstance(index, faiss.IndexBinaryIVF) or index.nlist != self.num_lists:
            return False
        index.nprobe = self.num_probes
        return True


@dataclass(frozen=True, kw_only=True)
class BinaryHnsw:
    """A graph with `num_links` links a code and layer (twice that in the lowest); how many codes are kept in view while
    links are sought (`ef_construction`) and in a search (`ef_search`, or k if that is more). Raises `InvalidSetting`.
    """

    kind: ClassVar[str] = "binary_hnsw"

    num_links: int = 32
    ef_construction: int = 80
    ef_search: int = 64

    def __post_init__(self) -> None:
        _check_number("num_links", self.num_links, 2, 512)
        _check_number("ef_construction", self.ef_construction, 1, 2**20)
        _check_number("ef_search", self.ef_search, 1, 2**20)

    def new_index(self, faiss: Any, codes: BinaryCodes) -> Any:
        index = faiss.IndexBinaryHNSW(codes.num_bits, self.num_links)
        index.hnsw.efConstruction = self.ef_construction
        index.add(codes.packed)
        return index

    def prepare(self, faiss: Any, index: Any) -> bool:
        """Set what a search reads. False where `index` is none of this kind and these links."""
        if not isinstance(index, faiss.IndexBinaryHNSW) or index.hnsw.nb_neighbors(1) != self.num_links:
            return False
        index.hnsw.efSearch = self.ef_search
        return True


FaissIndexKind = BinaryIvf | BinaryHnsw
INDEX_KINDS: dict[str, type[FaissIndexKind]] = {"binary_ivf": BinaryIvf, "binary_hnsw": BinaryHnsw}


def _check_number(name: str, given: int, least: int, most: int) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise InvalidSetting(name, repr(given), f"a whole number from {least} to {most}")
