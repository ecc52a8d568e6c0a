"""Tiny vision models with random weights, saved as transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path

TINY_SIDE = 32


def save_tiny_vit(folder: Path, *, with_pooler: bool = True, side: int = TINY_SIDE) -> Path:
    """A ViT of 16 dimensions on 2 x 2 patches."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(7)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=side,
        patch_size=side // 2,
    )
    ViTModel(config, add_pooling_layer=with_pooler).save_pretrained(folder)
    _save_processor(folder, side)
    return folder


def save_tiny_resnet(folder: Path) -> Path:
    """A two-stage ResNet of 16 dimensions: its pooled output is a 1 x 1 map."""
    import torch
    from transformers import ResNetConfig, ResNetModel

    torch.manual_seed(7)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ResNetModel(config).save_pretrained(folder)
    _save_processor(folder, TINY_SIDE)
    return folder


def save_tiny_convnext(folder: Path) -> Path:
    """A two-stage ConvNeXt of 16 dimensions."""
    import torch
    from transformers import ConvNextConfig, ConvNextModel

    torch.manual_seed(7)
    config = ConvNextConfig(num_stages=2, hidden_sizes=[8, 16], depths=[1, 1])
    ConvNextModel(config).save_pretrained(folder)
    _save_processor(folder, TINY_SIDE)
    return folder


def _save_processor(folder: Path, side: int) -> None:
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.25, 0.3],
        "rescale_factor": 1 / 255,
        "size": {"height": side, "width": side},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
