"""`BackboneNetwork`: pretrained weights from a local folder, run by torch. The only place that imports transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting

if TYPE_CHECKING:
    import torch

POOLINGS = ("pooler", "cls", "mean")
_GPU_BATCH = 64


class BackboneNetwork:
    """A vision model in evaluation mode, float32, on one device.

    `pooling`: "pooler" takes the model's own pooled output, "cls" the first token, "mean" the mean over tokens or
    positions. Raises `InvalidSetting` when transformers is not installed, the device is not there, the folder does
    not load, or layers that are used would have no weights.
    """

    def __init__(self, folder: str, *, pooling: str, device: str) -> None:
        self._folder = folder
        self._pooling = pooling
        self._device = _torch_device(device)
        transformers = _import_transformers()
        self._processor = self._load_processor(transformers)
        self._model = self._load_model(transformers)

    @property
    def default_side(self) -> int:
        """The picture side in pixels that the folder's processor prepares."""
        processor = self._processor
        cropped = getattr(processor, "do_center_crop", None) and getattr(processor, "crop_size", None)
        size = dict(processor.crop_size if cropped else processor.size)
        side = size.get("height") or size.get("shortest_edge")
        if not isinstance(side, int):
            raise InvalidSetting("backbone.side", "missing", f"a value, as the processor has no square size ({size})")
        return side

    def forward(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 `(batch, side, side, 3)` -> pooled float32 `(batch, num_dims)`.

        On the CPU pictures go through one by one on one thread: kernels are chosen by batch size, and convolutions
        split their sums by threads. Either would change the last bits, and a query's code would not be the shard's.
        """
        if self._device.type != "cpu":
            return self._forward_blocks(pixels, _GPU_BATCH)
        with _one_torch_thread():
            return self._forward_blocks(pixels, 1)

    def _forward_blocks(self, pixels: NDArray[np.uint8], step: int) -> NDArray[np.float32]:
        import torch

        parts = []
        for start in range(0, len(pixels), step):
            block = torch.from_numpy(self._normalized(pixels[start : start + step])).to(self._device)
            with torch.inference_mode():
                pooled = self._pooled(self._model(pixel_values=block))
            parts.append(pooled.float().cpu().numpy())
        return np.concatenate(parts)

    def num_dims(self, side: int) -> int:
        """Width of the pooled output, found by one black picture of `side`; `InvalidSetting` if the model refuses."""
        try:
            return int(self.forward(np.zeros((1, side, side, 3), dtype=np.uint8)).shape[1])
        except (ValueError, RuntimeError) as refusal:
            if isinstance(refusal, InvalidSetting):
                raise
            raise InvalidSetting("backbone.side", str(side), f"a side that the model takes ({refusal})") from refusal

    def _normalized(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 `(batch, 3, side, side)`, scaled and normalised as the folder's processor says."""
        processor = self._processor
        values = pixels.astype(np.float32)
        if processor.do_rescale:
            values *= np.float32(processor.rescale_factor)
        if processor.do_normalize:
            values -= np.asarray(processor.image_mean, dtype=np.float32)
            values /= np.asarray(processor.image_std, dtype=np.float32)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))

    def _pooled(self, output: Any) -> torch.Tensor:
        if self._pooling == "pooler":
            pooled: torch.Tensor | None = getattr(output, "pooler_output", None)
            if pooled is None:
                raise InvalidSetting("backbone.pooling", "pooler", "cls or mean: this model has no pooled output")
            return pooled.flatten(1)
        states: torch.Tensor = output.last_hidden_state
        if states.ndim == 4:
            if self._pooling == "cls":
                raise InvalidSetting("backbone.pooling", "cls", "pooler or mean: this model has no tokens")
            return states.mean(dim=(2, 3))
        return states[:, 0] if self._pooling == "cls" else states.mean(dim=1)

    def _load_processor(self, transformers: Any) -> Any:
        try:
            return transformers.AutoImageProcessor.from_pretrained(
                self._folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise InvalidSetting("backbone.folder", self._folder, f"an image processor ({error})") from error

    def _load_model(self, transformers: Any) -> Any:
        import torch
        from safetensors import SafetensorError

        try:
            model, report = transformers.AutoModel.from_pretrained(
                self._folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                dtype=torch.float32,
            )
        except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
            raise InvalidSetting("backbone.folder", self._folder, f"a model that loads ({error})") from error
        if model.main_input_name != "pixel_values":
            raise InvalidSetting(
                "backbone.folder", self._folder, f"a vision model; {type(model).__name__} takes {model.main_input_name}"
            )
        self._refuse_missing(set(report["missing_keys"]))
        return model.eval().to(self._device)

    def _refuse_missing(self, missing: set[str]) -> None:
        # transformers fills missing weights at random: features would differ from process to process.
        pooler = {key for key in missing if key.startswith("pooler.")}
        if pooler and self._pooling == "pooler":
            raise InvalidSetting("backbone.pooling", "pooler", f"cls or mean: {self._folder} has no pooler weights")
        if missing - pooler:
            names = ", ".join(sorted(missing - pooler)[:5])
            raise InvalidSetting("backbone.folder", self._folder, f"weights for every layer; missing: {names}")


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    import torch

    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def _import_transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise InvalidSetting(
            "features", "backbone", "transformers installed; run: pip install 'bitquarry[backbones]'"
        ) from error
    # Its bar of loading weights would stand in the middle of the caller's output.
    transformers.logging.disable_progress_bar()
    return transformers


def _torch_device(device: str) -> torch.device:
    import torch

    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise InvalidSetting("backbone.device", repr(device), "cpu, cuda or cuda:<number>")
    if kind == "cuda" and not int(number or 0) < torch.cuda.device_count():
        raise InvalidSetting(
            "backbone.device", repr(device), f"a GPU that is there; torch sees {torch.cuda.device_count()}"
        )
    return torch.device(device)
