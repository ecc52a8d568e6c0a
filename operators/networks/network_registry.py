"""Networks by name: each takes feature rows and gives real outputs."""

from __future__ import annotations

import torch
from torch import nn

from operators.errors import InvalidSetting
from operators.networks.dsh_network import DshNetwork
from operators.networks.multilayer_perceptron import MultilayerPerceptron
from operators.networks.residual_cnn import ResidualCnn
from operators.networks.small_cnn import SmallCnn

_NETWORKS: dict[str, type[nn.Module]] = {
    "dsh": DshNetwork,
    "mlp": MultilayerPerceptron,
    "resnet": ResidualCnn,
    "small-cnn": SmallCnn,
}


def network_names() -> tuple[str, ...]:
    """Every name that `create_network` takes, sorted."""
    return tuple(sorted(_NETWORKS))


def create_network(name: str, *, num_dims: int, num_outputs: int, seed: int) -> nn.Module:
    """Rows float `(batch, num_dims)` -> float `(batch, num_outputs)`; weights drawn with `seed`, torch's own random
    state left as it was. Raises `InvalidSetting`, also for a picture network with rows that are no pictures."""
    if name not in _NETWORKS:
        raise InvalidSetting("network", repr(name), f"one of {', '.join(network_names())}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _NETWORKS[name](num_dims, num_outputs)
