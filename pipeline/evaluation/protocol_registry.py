"""Protocols by name."""

from __future__ import annotations

from pipeline.errors import UnknownName
from pipeline.evaluation.class_folder import ClassFolder
from pipeline.evaluation.fashion_mnist import FashionMnist
from pipeline.evaluation.retrieval_protocol import RetrievalProtocol


def protocol_names() -> tuple[str, ...]:
    """Every name that `create_protocol` takes."""
    return (FashionMnist.name, ClassFolder.name)


def create_protocol(name: str, *, data_dir: str | None, seed: int) -> RetrievalProtocol:
    """`data_dir`: where the pictures are, or None for the protocol's own place. Raises `UnknownName`, `UsageError`."""
    if name == FashionMnist.name:
        return FashionMnist(data_dir)
    if name == ClassFolder.name:
        return ClassFolder(data_dir, seed)
    raise UnknownName("protocol", name, protocol_names())
