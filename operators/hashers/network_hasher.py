"""`NetworkHasher`: a trained method whose bits are the signs of one network's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import NotFitted, ShapeMismatch
from operators.hashers.method_settings import MethodSettings, Settings, choice
from operators.hashers.trainable_hasher import TrainableHasher
from operators.networks.frozen_forward import forward_rows
from operators.networks.network_registry import create_network
from operators.quantization.feature_rows import check_feature_rows
from operators.training.state_arrays import load_module_arrays, module_arrays

NETWORKS = ("dsh", "mlp", "resnet", "small-cnn")


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(MethodSettings):
    """`network`: "dsh", "small-cnn" and "resnet" take pictures (features `pixels`), "mlp" any features."""

    network: str = choice("small-cnn", *NETWORKS)


class NetworkHasher(TrainableHasher[Settings]):
    """Holds the network; on the CPU an item's outputs depend on nothing but the item (`forward_rows`)."""

    _network: torch.nn.Module | None = None
    _num_dims: int = 0

    def new_network(self, num_dims: int) -> torch.nn.Module:
        """A network from features to `num_bits` outputs, weights drawn with the seed. Raises `InvalidSetting`."""
        name = getattr(self._settings, "network", "mlp")
        return create_network(name, num_dims=num_dims, num_outputs=self.num_bits, seed=self._settings.seed)

    def take_network(self, network: torch.nn.Module, num_dims: int) -> None:
        """Encode with (a copy of) this network from now on."""
        own = self.new_network(num_dims)
        load_module_arrays(own, "network", module_arrays(network, "network"))
        self._network, self._num_dims = own.eval(), num_dims

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's real outputs, float32 `(num_items, num_outputs)`."""
        if self._network is None:
            raise NotFitted(self.method)
        check_feature_rows(features, self._num_dims)
        return forward_rows(self._network, features)

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        return BinaryCodes.from_signs(self.outputs(features))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`network.*`: weights and buffers; `num_dims` int64 `(1,)`, the width of features."""
        if self._network is None:
            raise NotFitted(self.method)
        return {**module_arrays(self._network, "network"), "num_dims": np.array([self._num_dims], np.int64)}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        given = tensors.get("num_dims")
        if given is None or given.dtype != np.int64 or given.shape != (1,):
            raise ShapeMismatch(f"{self.method} num_dims", "none" if given is None else str(given.dtype), "int64 (1,)")
        num_dims = int(np.asarray(given, np.int64)[0])
        network = self.new_network(num_dims)
        load_module_arrays(network, "network", tensors)
        self._network, self._num_dims = network.eval(), num_dims
