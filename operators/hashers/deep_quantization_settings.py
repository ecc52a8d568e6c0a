"""Settings of DeepQuan, with the reasons for what its paper leaves open."""

from __future__ import annotations

from dataclasses import dataclass

from operators.hashers.method_settings import MethodSettings, choice, number, switch, whole
from operators.quantization.lookup_tables import NUM_CODEWORDS

_DIMS_PER_CODEBOOK, _LEAST_WIDTH = 4, 16
_FINE_BITS = 32
TRIPLETS = ("weighted", "unweighted", "none")


@dataclass(frozen=True, kw_only=True)
class DeepQuantizationSettings(MethodSettings):
    """The objective is `quantization` L_Q + `manifold_weight` L_M + `triplets` L_T (each a mean over a batch).

    The paper's values are not known; those here were chosen on training pictures of Fashion-MNIST.

    A share `pretraining` of the epochs goes without L_Q; then codebooks start by k-means (with `rotation` by OPQ), and
    words and codes follow the network before every epoch by `num_lloyd` steps of k-means.
    `hidden`, `num_layers`: the encoder's hidden layers, each half as wide as the one before. `width`: the code layer,
    narrow, because 8 bits code few dimensions well; 0 for 4 dimensions per codebook, 16 at least. `manifold`: more of
    it brings the nearest ten closer to those by features, less makes clusters denser (a higher AP over all). Codes of
    fewer than 32 bits lose the nearest ten first: L_M counts 32 / `num_bits` times as much there.
    `triplet`: "weighted", or the ablations "unweighted" and "none"; `margin` between squared distances of code layers
    of length 1. An item's neighbours are its `num_neighbors` nearest, and what a random walk of 1, 2, 4, … up to
    `num_steps` steps over them reaches; walks are compared by profiles of `profile_width` numbers.
    Learns from at most `num_training` items, whose exact neighbours cost O(num_training^2).
    """

    num_epochs: int = whole(20, minimum=1, maximum=100_000)
    pretraining: float = number(0.6, minimum=0, maximum=1)
    batch_size: int = whole(256, minimum=2, maximum=100_000)
    rate: float = number(0.001, minimum=0, maximum=10)
    weight_decay: float = number(0.0001, minimum=0, maximum=1)
    hidden: int = whole(512, minimum=1, maximum=100_000)
    num_layers: int = whole(1, minimum=1, maximum=10)
    width: int = whole(0, minimum=0, maximum=4096)
    quantization: float = number(1.0, minimum=0, maximum=1e6)
    manifold: float = number(2.0, minimum=0, maximum=1e6)
    triplets: float = number(1.0, minimum=0, maximum=1e6)
    triplet: str = choice("weighted", *TRIPLETS)
    margin: float = number(0.5, minimum=0, maximum=4)
    num_neighbors: int = whole(15, minimum=1, maximum=10_000)
    num_steps: int = whole(32, minimum=1, maximum=1024)
    profile_width: int = whole(64, minimum=1, maximum=4096)
    rotation: bool = switch(True)
    num_lloyd: int = whole(3, minimum=1, maximum=1000)
    num_training: int = whole(30_000, minimum=NUM_CODEWORDS, maximum=10_000_000)

    @property
    def code_width(self) -> int:
        """Dimensions of the code layer."""
        return self.width or max(_LEAST_WIDTH, _DIMS_PER_CODEBOOK * self.num_bits // 8)

    @property
    def manifold_weight(self) -> float:
        """What L_M counts at this number of bits."""
        return self.manifold * max(1.0, _FINE_BITS / self.num_bits)
