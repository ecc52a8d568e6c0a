"""Exact Hamming search on a GPU, with torch: the same answers as `hamming_flat`. Imported only where it is asked for.

With bits as signs, two codes of W bits that differ in d have the inner product W - 2 d: distances are a product of
matrices, which a GPU does fastest of all. Every sum is a whole number that the floats hold exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.smallest_k import POSITION_BITS
from operators.ranked_neighbors import RankedNeighbors
from operators.search.allowed_rows import AllowedRows
from operators.search.block_scan import Columns, Nearest, PairScan, check_ids, rank_nearest
from operators.search.scan_options import ONE_THREAD, ScanOptions

_BLOCK_BYTES = {"cpu": 2**24, "cuda": 2**30}
_BYTES_PER_PAIR = 32
_HALF_EXACT_BITS = 2048  # 16 bit floats hold every whole number up to here
_FEW = 8
_NO_KEY = torch.iinfo(torch.int64).max
_QUERIES_AT_ONCE = 1024


class GpuCodes:
    """Codes in the memory of a device ("cuda", "cuda:1"; "cpu" for tests): uploaded once, searched many times.

    Takes the bytes of the packed codes. Raises `InvalidSetting` for a device that is not there.
    """

    def __init__(self, codes: BinaryCodes, device: str) -> None:
        self.device = torch_device(device)
        self.num_bits = codes.num_bits
        num_codes, num_bytes = codes.packed.shape
        self.packed = torch.empty((num_codes, num_bytes), dtype=torch.uint8, device=self.device)
        step = max(1, _BLOCK_BYTES["cpu"] // num_bytes)
        for start in range(0, num_codes, step):
            block = np.array(codes.packed[start : start + step])  # mapped files are read-only
            self.packed[start : start + step] = torch.from_numpy(block).to(self.device)
        self._last_mask: tuple[AllowedRows, torch.Tensor] | None = None

    def mask_of(self, allowed: AllowedRows) -> torch.Tensor:
        """Booleans `(num_codes,)` on the device. The last one is kept: an index with deleted rows has it in every
        search."""
        last = self._last_mask
        if last is None or last[0] is not allowed:
            last = (allowed, torch.from_numpy(allowed.to_mask()).to(self.device))
            self._last_mask = last
        return last[1]

    def __len__(self) -> int:
        return int(self.packed.shape[0])


class GpuScan(PairScan):
    """Pairs of codes on a device and queries of one width; raises `ShapeMismatch` for two. `options.num_threads` is not
    used."""

    def __init__(self, codes: GpuCodes, queries: BinaryCodes, options: ScanOptions = ONE_THREAD) -> None:
        if codes.num_bits != queries.num_bits:
            raise ShapeMismatch("query codes", f"{queries.num_bits} bits", f"{codes.num_bits} bits")
        options.check_rows(len(codes))
        self.num_codes = len(codes)
        self.num_queries = len(queries)
        self.allowed = options.allowed
        self._options = options
        self._codes = codes
        self._queries = queries
        self._width = 8 * codes.packed.shape[1]
        exact_in_half = codes.device.type == "cuda" and self._width <= _HALF_EXACT_BITS
        self._dtype = torch.float16 if exact_in_half else torch.float32
        self._signs = self._to_signs(torch.from_numpy(np.array(queries.packed)).to(codes.device))

    def nearest(self, k: int, below: int | None) -> Nearest:
        groups = [
            self._group_nearest(self._signs[first : first + _QUERIES_AT_ONCE], k, below)
            for first in range(0, max(1, self.num_queries), _QUERIES_AT_ONCE)
        ]
        keys = torch.cat(groups).cpu().numpy()
        return keys >> POSITION_BITS, keys & ((1 << POSITION_BITS) - 1), (keys != _NO_KEY).sum(axis=1, dtype=np.int64)

    def _group_nearest(self, signs: torch.Tensor, k: int, below: int | None) -> torch.Tensor:
        """Sorted keys int64 `(num_queries, k)`, `_NO_KEY` where there is no answer."""
        device = self._codes.device
        mask = None if self.allowed is None else self._codes.mask_of(self.allowed)
        most = self._width if below is None else min(below - 1, self._width)
        keys = torch.full((len(signs), k), _NO_KEY, device=device)
        bytes_per_code = _BYTES_PER_PAIR * len(signs) + 8 * self._width
        step = max(1, _BLOCK_BYTES[device.type] // bytes_per_code)
        for start in range(0, self.num_codes, step):
            self._options.check_cancelled()
            packed = self._codes.packed[start : start + step]
            # An entry must be nearer than the k-th: its position is higher.
            bounds = (keys[:, -1] >> POSITION_BITS).clamp(max=most + 1)
            dots = signs @ self._to_signs(packed).T
            near = dots > (self._width - 2 * bounds).to(dots.dtype)[:, None]
            if mask is not None:
                near &= mask[start : start + step]
            keys = _keep_smallest(keys, self._candidates(dots, near, start))
        return keys.sort(dim=1).values

    def _candidates(self, dots: torch.Tensor, near: torch.Tensor, start: int) -> torch.Tensor:
        """Keys int64 `(num_queries, num_candidates)` of the pairs that are near, `_NO_KEY` for the rest of a row."""
        counts = near.sum(dim=1)
        most = int(counts.max()) if len(counts) else 0
        if _FEW * most > near.shape[1]:
            positions = torch.arange(start, start + near.shape[1], device=near.device)
            return torch.where(near, self._keys_of(dots, positions), _NO_KEY)
        rows, columns = near.nonzero(as_tuple=True)
        first = counts.cumsum(0) - counts
        candidates = torch.full((len(near), most), _NO_KEY, device=near.device)
        places = torch.arange(len(rows), device=near.device) - first[rows]
        candidates[rows, places] = self._keys_of(dots[rows, columns], start + columns)
        return candidates

    def _keys_of(self, dots: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        distances = (self._width - dots.long()) >> 1
        return (distances << POSITION_BITS) | positions

    def _to_signs(self, packed: torch.Tensor) -> torch.Tensor:
        """+1 and -1, `(num_codes, width)`; padding bits agree in all codes."""
        shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
        bits = (packed[:, :, None] >> shifts) & 1
        return bits.reshape(len(packed), self._width).to(self._dtype) * 2 - 1

    def select(self, rows: NDArray[np.int64]) -> GpuScan:
        packed = self._codes.packed[torch.from_numpy(rows).to(self._codes.device)].cpu().numpy()
        return GpuScan(GpuCodes(BinaryCodes(packed, self._codes.num_bits), str(self._codes.device)), self._queries)

    def load_codes(self, rows: slice) -> Columns:
        return np.ascontiguousarray(self._codes.packed[rows].cpu().numpy().T)

    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        packed = torch.from_numpy(np.ascontiguousarray(codes.T)).to(self._codes.device)
        distances = (self._width - (self._signs[queries] @ self._to_signs(packed).T).long()) >> 1
        return distances.cpu().numpy().astype(np.min_scalar_type(self._width))


def search_gpu(
    codes: GpuCodes,
    ids: NDArray[np.int64],
    queries: BinaryCodes,
    *,
    k: int,
    options: ScanOptions = ONE_THREAD,
) -> RankedNeighbors:
    """The `k` nearest codes of each query, as `search_flat` gives them. Raises `ShapeMismatch`, `InvalidSetting` and
    `SearchCancelled`."""
    check_ids(ids, len(codes))
    return rank_nearest(GpuScan(codes, queries, options), ids, k=k)


def torch_device(device: str) -> torch.device:
    """Raises `InvalidSetting` for a name that is no device, and for a GPU that is not there."""
    kind, _, number = device.partition(":")
    if kind not in _BLOCK_BYTES or (number and not (kind == "cuda" and number.isdigit())):
        raise InvalidSetting("device", repr(device), "cuda, cuda:<number> or cpu")
    if kind == "cuda" and not int(number or 0) < torch.cuda.device_count():
        raise InvalidSetting("device", repr(device), f"a GPU that is there; torch sees {torch.cuda.device_count()}")
    return torch.device(device)


def _keep_smallest(keys: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """The k smallest of each row, the largest of them last."""
    if not candidates.shape[1]:
        return keys
    both = torch.cat([keys, candidates], dim=1)
    return both.topk(keys.shape[1], dim=1, largest=False).values
