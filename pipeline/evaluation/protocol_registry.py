"""Protocols by name."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import UnknownName
from pipeline.evaluation.cifar10 import CIFAR10_PROTOCOLS
from pipeline.evaluation.class_folder import ClassFolder
from pipeline.evaluation.fashion_mnist import FashionMnist
from pipeline.evaluation.nus_wide_21 import NusWide21, NusWide21Supervised
from pipeline.evaluation.retrieval_protocol import RetrievalProtocol
from pipeline.evaluation.sun_397 import Sun397
from pipeline.evaluation.youtube_faces import YoutubeFaces

_PROTOCOLS: dict[str, Callable[[str | None, int], RetrievalProtocol]] = {
    FashionMnist.name: lambda data_dir, _: FashionMnist(data_dir),
    **{protocol.name: protocol for protocol in CIFAR10_PROTOCOLS},
    Sun397.name: Sun397,
    NusWide21.name: NusWide21,
    NusWide21Supervised.name: NusWide21Supervised,
    YoutubeFaces.name: YoutubeFaces,
    ClassFolder.name: ClassFolder,
}


def protocol_names() -> tuple[str, ...]:
    """Every name that `create_protocol` takes."""
    return tuple(_PROTOCOLS)


def create_protocol(name: str, *, data_dir: str | None, seed: int) -> RetrievalProtocol:
    """`data_dir`: where the pictures are, or None for the protocol's own place. Raises `UnknownName`, `UsageError`."""
    if name not in _PROTOCOLS:
        raise UnknownName("protocol", name, protocol_names())
    return _PROTOCOLS[name](data_dir, seed)
