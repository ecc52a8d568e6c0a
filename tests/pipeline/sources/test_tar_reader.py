from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from typing import IO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.tar_reader import DamagedTar, TarReader
from tests.source_samples import tar_bytes

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
NAMES = st.lists(st.sampled_from(["a", "é", "n" * 60]), min_size=1, max_size=6).map("/".join)
CONTENT = st.binary(max_size=20).map(lambda data: data * 100)


def read_all(data: bytes) -> list[tuple[str, bytes]]:
    tar = TarReader(io.BytesIO(data))
    return [(member.name, tar.read()) for member in tar if member.is_regular]


@given(st.lists(st.tuples(NAMES, CONTENT), max_size=5), st.sampled_from(FORMATS[1:]))
def test_reads_what_tarfile_wrote(members: list[tuple[str, bytes]], tar_format: int) -> None:
    assert read_all(tar_bytes(members, tar_format)) == members


def test_reads_ustar_prefixes() -> None:
    members = [("d" * 90 + "/" + "f" * 90, b"x" * 513)]
    assert read_all(tar_bytes(members, tarfile.USTAR_FORMAT)) == members


@pytest.mark.parametrize("tar_format", FORMATS)
def test_only_plain_files_are_regular(tar_format: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.REGTYPE):
            info = tarfile.TarInfo(f"kind-{kind.decode()}")
            info.type, info.linkname = kind, "../../etc/passwd"
            tar.addfile(info)
    found = {member.name: member.is_regular for member in TarReader(io.BytesIO(buffer.getvalue()))}
    assert found == {"kind-2": False, "kind-1": False, "kind-5/": False, "kind-6": False, "kind-0": True}


@given(st.integers(0, 5 * 512 + 511))
def test_a_cut_tar_never_ends_silently(length: int) -> None:
    members = [("a", b"x" * 700), ("b", b"y" * 10)]
    whole = tar_bytes(members)
    assert read_all(whole[: 6 * 512]) == members  # two headers, three blocks of data, one of the end mark
    with pytest.raises(DamagedTar):
        read_all(whole[:length])


# The two bytes behind the digits of the checksum mean nothing.
@given(st.integers(0, 511).filter(lambda position: position not in (154, 155)), st.integers(1, 255))
def test_a_flipped_byte_in_a_later_header_is_told(position: int, flip: int) -> None:
    whole = bytearray(tar_bytes([("a", b"x"), ("b", b"y")]))
    whole[1024 + position] ^= flip
    with pytest.raises(DamagedTar, match="damaged header at byte 1,024, after a"):
        read_all(bytes(whole))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "more data behind its end mark": lambda data: data + data,
    "ends without its end mark, after a": lambda data: data[:1024],
    "ends inside a header, after a": lambda data: data[:1100],
    "ends inside a: 3 of 5 bytes": lambda data: data[:515],
    "damaged header at byte 0, after the beginning": lambda data: b"not a tar at all" * 64,
    "ends without its end mark, after the beginning": lambda _: b"",
}


@pytest.mark.parametrize("message", DAMAGES)
def test_says_where_a_tar_is_damaged(message: str) -> None:
    with pytest.raises(DamagedTar, match=message):
        read_all(DAMAGES[message](tar_bytes([("a", b"12345")])))


def test_damaged_compression_is_told() -> None:
    packed = gzip.compress(tar_bytes([("a", b"12345")]))
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=io.BytesIO(packed[:-20])))
    with pytest.raises(DamagedTar, match="compressed data is damaged"):
        list(TarReader(stream))


def test_a_huge_extension_header_is_refused_unread() -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = b"L", 2**40
    with pytest.raises(DamagedTar, match="a header of 1,099,511,627,776 bytes"):
        read_all(info.tobuf(tarfile.GNU_FORMAT))
