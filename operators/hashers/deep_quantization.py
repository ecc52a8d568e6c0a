"""`DeepQuantization`: DeepQuan (IJCAI 2018, pages 613-619), deep product quantization without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from operators.errors import InvalidSetting, NotFitted, ShapeMismatch
from operators.hashers.codebook_quantizer import CodebookQuantizer
from operators.hashers.deep_quantization_run import DeepQuantizationRun
from operators.hashers.deep_quantization_settings import DeepQuantizationSettings
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.product_quantization import restored_codebooks
from operators.hashers.trainable_hasher import TrainableHasher
from operators.networks.autoencoder import Autoencoder
from operators.networks.frozen_forward import forward_rows
from operators.quantization.feature_rows import check_feature_rows
from operators.quantization.lookup_tables import NUM_CODEWORDS
from operators.quantization.product_codebooks import ProductCodebooks
from operators.training.state_arrays import load_module_arrays, module_arrays
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers


class DeepQuantization(TrainableHasher[DeepQuantizationSettings], CodebookQuantizer[DeepQuantizationSettings]):
    """Product codes of an autoencoder's code layer, learned without labels: the network makes representations that are
    easy to quantize (L_Q), still know their features (L_M) and keep neighbours together (L_T), in turn with the
    codebooks. Its formulation is not public in full; `DeepQuantizationRun` has the one used here.

    Cost of `fit`: exact neighbours of the training sample, then two passes per item and epoch. Raises `InvalidSetting`
    for fewer than 256 items, not more items than `num_neighbors`, or more codebooks than `width`.
    """

    method: ClassVar[str] = "deepquan"
    settings_type = DeepQuantizationSettings
    _network: Autoencoder | None = None
    _codebooks: ProductCodebooks | None = None

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        settings = self._settings
        if self.num_codebooks > settings.code_width:
            expected = f"at least {self.num_codebooks}, a dimension per codebook of {self.num_bits} bits"
            raise InvalidSetting("deepquan.width", str(settings.code_width), expected)

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        check_feature_rows(features)
        settings = self._settings
        fewest = max(NUM_CODEWORDS, settings.num_neighbors + 1)
        if len(features) < fewest:
            expected = f"at least {fewest} (256 words per codebook, {settings.num_neighbors} neighbours); give more"
            raise InvalidSetting("deepquan.fit", f"{len(features)} items", expected)
        order = np.random.default_rng(settings.seed).permutation(len(features))[: settings.num_training]
        sample = features if len(order) == len(features) else features[np.sort(order)]
        network = self._new_network(sample.mean(axis=0, dtype=np.float64).astype(np.float32))
        return DeepQuantizationRun(self, network.to(workers.device), sample, workers)

    def _new_network(self, centre: NDArray[np.float32]) -> Autoencoder:
        """Weights drawn with the seed, torch's own random state left as it was."""
        settings = self._settings
        hidden = [max(1, settings.hidden >> layer) for layer in range(settings.num_layers)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            return Autoencoder(torch.from_numpy(centre), settings.code_width, hidden=hidden)

    def take(self, network: torch.nn.Module, codebooks: ProductCodebooks) -> None:
        """Encode with (copies of) these from now on."""
        arrays = module_arrays(network, "network")
        own = self._new_network(np.asarray(arrays["network.centre"], np.float32))
        load_module_arrays(own, "network", arrays)
        self._network, self._codebooks = own.eval(), codebooks

    @property
    def codebooks(self) -> ProductCodebooks:
        if self._codebooks is None:
            raise NotFitted(self.method)
        return self._codebooks

    def represent(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._network is None:
            raise NotFitted(self.method)
        check_feature_rows(features, len(self._network.centre))
        return forward_rows(self._network, features)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`network.*`: weights and the centre of the features; `words` float32 `(num_codebooks, 256, widest)`."""
        if self._network is None:
            raise NotFitted(self.method)
        return {**module_arrays(self._network, "network"), "words": self.codebooks.to_array()}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        known = {name: tensors[name] for name in ("network.centre", "words") if name in tensors}
        shapes = {"network.centre": (None,), "words": (self.num_codebooks, NUM_CODEWORDS, None)}
        checked = require_tensors(self.method, known, shapes)
        network = self._new_network(checked["network.centre"])
        others = [name for name in tensors if name != "words" and not name.startswith("network.")]
        if others:
            raise ShapeMismatch(f"{self.method} tensors", ", ".join(sorted(others)), "network.* and words")
        load_module_arrays(network, "network", tensors)
        self._network = network.eval()
        self._codebooks = restored_codebooks(self.method, checked["words"], self._settings.code_width)
