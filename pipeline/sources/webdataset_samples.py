"""WebDataset samples: neighbours in a tar whose names agree up to the first dot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from operators.errors import MediaTooLarge
from pipeline.sources.fetch_fault import EMPTY, TOO_LARGE, FetchFault
from pipeline.sources.picture_names import is_picture_name
from pipeline.sources.tar_reader import DamagedTar, TarMember, TarReader

# Bounds on what is held until a sample is complete.
MAX_PICTURES_PER_SAMPLE = 16
MAX_SIBLING_BYTES = 2**20


@dataclass(frozen=True)
class TarPicture:
    """One picture member: its name, and its bytes or what is wrong with it."""

    name: str
    data: bytes | FetchFault


@dataclass
class Sample:
    """`texts`: content of the siblings asked for, by extension. `fault`: what is wrong with a sibling, else ""."""

    stem: str
    pictures: list[TarPicture] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""


def iter_samples(tar: TarReader, *, siblings: frozenset[str], max_bytes: int) -> Iterator[Sample]:
    """Samples that hold a picture, in the order of the tar. One with more than `MAX_PICTURES_PER_SAMPLE` pictures is
    given out in pieces. When the tar is damaged, what was complete comes first, then `DamagedTar`."""
    sample = Sample("")
    damage: DamagedTar | None = None
    try:
        for member in tar:
            stem, extension = split_name(member.name)
            if stem != sample.stem or len(sample.pictures) == MAX_PICTURES_PER_SAMPLE:
                if sample.pictures:
                    yield sample
                sample = Sample(stem)
            if is_picture_member(member.name) and not member.is_folder:
                sample.pictures.append(_read_picture(tar, member, max_bytes))
            elif extension in siblings and member.is_regular:
                _add_text(sample, tar, member, extension)
    except DamagedTar as error:
        damage = error
    if sample.pictures:
        yield sample
    if damage is not None:
        raise damage


def _read_picture(tar: TarReader, member: TarMember, max_bytes: int) -> TarPicture:
    if not member.is_regular:
        return TarPicture(
            member.name, FetchFault("not_regular", "a link, device or sparse file, expected a plain file")
        )
    if member.size_bytes > max_bytes:
        return TarPicture(member.name, FetchFault(TOO_LARGE, str(MediaTooLarge("bytes", member.size_bytes, max_bytes))))
    return TarPicture(member.name, tar.read() or FetchFault(EMPTY, "0 bytes"))


def _add_text(sample: Sample, tar: TarReader, member: TarMember, extension: str) -> None:
    if member.size_bytes > MAX_SIBLING_BYTES:
        sample.fault = f"its .{extension} file has {member.size_bytes:,} bytes, the limit is {MAX_SIBLING_BYTES:,}"
    else:
        sample.texts[extension] = tar.read()


def split_name(name: str) -> tuple[str, str]:
    """Stem and extension at the first dot of the last path segment (the WebDataset convention)."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension


def is_picture_member(name: str) -> bool:
    return is_picture_name(name) and not name.rpartition("/")[2].startswith(".")
