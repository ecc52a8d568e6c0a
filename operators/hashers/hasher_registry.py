"""The hashing methods by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.features.feature_extractor import Json
from operators.hashers.hasher import Hasher

# Where each method lives. Imported when asked for: some need torch, whose import takes longer than a search.
_HASHERS: dict[str, tuple[str, str]] = {
    "agh": ("anchor_graph_hashing", "AnchorGraphHashing"),
    "aphash": ("anchor_probability_hashing", "AnchorProbabilityHashing"),
    "aphash-kernel": ("kernel_anchor_probability_hashing", "KernelAnchorProbabilityHashing"),
    "cibhash": ("contrastive_hashing", "ContrastiveHashing"),
    "cibhash-neighbors": ("contrastive_hashing", "NeighborContrastiveHashing"),
    "deepquan": ("deep_quantization", "DeepQuantization"),
    "dgh": ("discrete_graph_hashing", "DiscreteGraphHashing"),
    "dsh": ("deep_supervised_hashing", "DeepSupervisedHashing"),
    "dsh-balanced": ("deep_supervised_hashing", "BalancedSupervisedHashing"),
    "dvb": ("deep_variational_binaries", "DeepVariationalBinaries"),
    "itq": ("iterative_quantization", "IterativeQuantization"),
    "opq": ("optimized_product_quantization", "OptimizedProductQuantization"),
    "orthohash": ("orthogonal_centre_hashing", "OrthogonalCentreHashing"),
    "pq": ("product_quantization", "ProductQuantization"),
    "pcah": ("pca_hashing", "PcaHashing"),
    "sh": ("spectral_hashing", "SpectralHashing"),
    "sklsh": ("shift_invariant_kernel_hashing", "ShiftInvariantKernelHashing"),
    "spdaq": ("similarity_preserving_quantization", "SimilarityPreservingQuantization"),
    "sph": ("spherical_hashing", "SphericalHashing"),
    "lsh": ("random_projection", "RandomProjection"),
}


def method_names() -> tuple[str, ...]:
    """Every method that `create_hasher` takes, sorted."""
    return tuple(sorted(_HASHERS))


def create_hasher(method: str, *, num_bits: int, seed: int, **settings: Any) -> Hasher:
    """A new hasher, not fitted; settings left out take their defaults. Raises `InvalidSetting`."""
    cls: Callable[..., Hasher] = hasher_class(method)
    return cls(num_bits=num_bits, seed=seed, **settings)


def restore_hasher(method: str, settings: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]]) -> Hasher:
    """The hasher that `settings()` and `tensors()` were taken from. Raises `InvalidSetting`, `ShapeMismatch`."""
    return hasher_class(method).restore(settings, tensors)


def hasher_class(method: str) -> type[Hasher]:
    """The class of that name. Raises `InvalidSetting`."""
    if method not in _HASHERS:
        raise InvalidSetting("method", repr(method), f"one of {', '.join(method_names())}")
    module, name = _HASHERS[method]
    cls: type[Hasher] = getattr(import_module(f"operators.hashers.{module}"), name)
    return cls
