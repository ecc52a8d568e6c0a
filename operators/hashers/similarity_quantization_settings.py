"""Settings of SPDAQ, with the reasons for what its paper leaves open."""

from __future__ import annotations

from dataclasses import dataclass

from operators.hashers.method_settings import choice, number, switch, whole
from operators.hashers.network_hasher import NETWORKS, NetworkSettings

VARIANTS = ("full", "LD", "LL", "nQ", "nC")


@dataclass(frozen=True, kw_only=True)
class SimilarityQuantizationSettings(NetworkSettings):
    """`variant`: "full", or an ablation: "LD" (free database vectors, tied to their codes by `eta`), "LL" (codes
    learned from the sampled items only), "nQ" (database vectors not quantized), "nC" (no classification term).

    Each of `num_epochs` rounds draws `num_sampled` items, shows them to the network once, then updates codebooks and
    all codes. `classification` (lambda) and `tie` (gamma) weigh their terms against the mean squared error of the
    similarities; `width` is the number of the network's outputs; `similarity` (rho) what their inner product aims at.
    The paper states none of these values: those here were chosen on training pictures.
    """

    network: str = choice("small-cnn", *NETWORKS)
    variant: str = choice("full", *VARIANTS)
    num_epochs: int = whole(12, minimum=1, maximum=100_000)
    num_sampled: int = whole(20_000, minimum=2, maximum=100_000_000)
    batch_size: int = whole(200, minimum=2, maximum=100_000)
    width: int = whole(32, minimum=2, maximum=4096)
    rate: float = number(0.003, minimum=0, maximum=10)
    weight_decay: float = number(0.0005, minimum=0, maximum=1)
    similarity: float = number(1.0, minimum=1e-6, maximum=1e6)
    classification: float = number(1.0, minimum=0, maximum=1e6)
    tie: float = number(0.01, minimum=0, maximum=1e6)
    eta: float = number(1.0, minimum=1e-9, maximum=1e6)
    ridge: float = number(1e-6, minimum=1e-12, maximum=1e6)
    num_sweeps: int = whole(3, minimum=1, maximum=1000)
    augment: bool = switch(False)
