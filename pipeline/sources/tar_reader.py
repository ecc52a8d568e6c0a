"""`TarReader`: the members of a tar stream, one by one, without ever writing to disk.

Python's `tarfile` takes a damaged header in the middle of an archive for its end; here every archive must end with its
end mark (POSIX.1-2017, pax, "ustar Interchange Format"), or `DamagedTar` says what is wrong. Reads USTAR, GNU and pax.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from pipeline.sources.container_file import DAMAGED_GZIP

BLOCK_BYTES = 512
_CHUNK_BYTES = 2**20
# Long names and pax records; nothing sensible comes near.
_MAX_EXTENSION_BYTES = 2**20

_REGULAR = (b"0", b"\0", b"7")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes
_FOLDER = b"5"
_GNU_LONG_NAME, _GNU_LONG_LINK, _GNU_SPARSE = b"L", b"K", b"S"
_PAX, _PAX_GLOBAL = b"x", b"g"


class DamagedTar(Exception):
    """The stream breaks off or is no tar. Argument: a sentence that says where."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """`name` is data, never a path to write to. `is_regular`: a plain file with its content inside."""

    name: str
    size_bytes: int
    is_regular: bool
    is_folder: bool


class TarReader:
    """Iterate once; `read()` gives the content of the member that came last."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._offset = 0
        self._unread_bytes = 0
        self._padding_bytes = 0
        self._last_name = "the beginning"

    def __iter__(self) -> Iterator[TarMember]:
        """Raises `DamagedTar`."""
        long_name: str | None = None
        pax: dict[str, str] = {}
        while (header := self._next_header()) is not None:
            kind = header[156:157]
            size_bytes = int(pax["size"]) if pax.get("size", "").isdigit() else _number(header[124:136])
            self._start_data(0 if kind in _WITHOUT_DATA else size_bytes)
            if kind == _GNU_LONG_NAME:
                long_name = _text(self._extension().rstrip(b"\0"))
            elif kind == _PAX:
                pax = _pax_records(self._extension())
            elif kind not in (_GNU_LONG_LINK, _PAX_GLOBAL):
                if kind == _GNU_SPARSE:
                    self._skip_sparse_map(header)
                self._last_name = pax.get("path") or long_name or _name(header)
                is_regular = kind in _REGULAR and not any(name.startswith("GNU.sparse") for name in pax)
                yield TarMember(self._last_name, size_bytes, is_regular, kind == _FOLDER)
                long_name, pax = None, {}

    def read(self) -> bytes:
        """The content of the current member, once. Raises `DamagedTar` when the archive ends inside it."""
        data = self._take(self._unread_bytes)
        self._unread_bytes = 0
        return data

    def _start_data(self, size_bytes: int) -> None:
        self._unread_bytes = size_bytes
        self._padding_bytes = -size_bytes % BLOCK_BYTES

    def _extension(self) -> bytes:
        if self._unread_bytes > _MAX_EXTENSION_BYTES:
            raise DamagedTar(f"a header of {self._unread_bytes:,} bytes after {self._last_name}")
        return self.read()

    def _next_header(self) -> bytes | None:
        """The next header block; None at the end mark."""
        self._skip(self._unread_bytes + self._padding_bytes)
        self._start_data(0)
        block = self._read(BLOCK_BYTES)
        if not block:
            raise DamagedTar(f"ends without its end mark, after {self._last_name}")
        if len(block) < BLOCK_BYTES:
            raise DamagedTar(f"ends inside a header, after {self._last_name}")
        if not any(block):
            self._check_rest_is_empty()
            return None
        if not _is_checked(block):
            raise DamagedTar(f"damaged header at byte {self._offset - BLOCK_BYTES:,}, after {self._last_name}")
        return block

    def _check_rest_is_empty(self) -> None:
        while chunk := self._read(_CHUNK_BYTES):
            if any(chunk):
                raise DamagedTar(f"more data behind its end mark, after {self._last_name}; were tars concatenated?")

    def _skip_sparse_map(self, header: bytes) -> None:
        more = header[482]
        while more:
            more = self._take(BLOCK_BYTES)[504]

    def _take(self, num_bytes: int) -> bytes:
        data = self._read(num_bytes)
        if len(data) < num_bytes:
            raise DamagedTar(f"ends inside {self._last_name}: {len(data):,} of {num_bytes:,} bytes")
        return data

    def _read(self, num_bytes: int) -> bytes:
        try:
            data = self._stream.read(num_bytes) if num_bytes else b""
        except DAMAGED_GZIP as error:
            raise DamagedTar(f"its compressed data is damaged after {self._last_name}: {error}") from error
        self._offset += len(data)
        return data

    def _skip(self, num_bytes: int) -> None:
        while num_bytes:
            num_bytes -= len(self._take(min(num_bytes, _CHUNK_BYTES)))


def _is_checked(header: bytes) -> bool:
    """Old writers summed signed bytes."""
    blanked = header[:148] + b" " * 8 + header[156:]
    unsigned = sum(blanked)
    signed = unsigned - 256 * sum(byte > 127 for byte in blanked)
    try:
        return _number(header[148:156]) in (unsigned, signed)
    except DamagedTar:
        return False


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 for what does not fit. Raises `DamagedTar`."""
    if field[0] in (0x80, 0xFF):
        value = int.from_bytes(field[1:], "big")
    else:
        digits = field.split(b"\0", 1)[0].strip() or b"0"
        try:
            value = int(digits, 8)
        except ValueError as error:
            raise DamagedTar(f"{digits!r} in a header, expected an octal number") from error
    if value < 0 or field[0] == 0xFF:
        raise DamagedTar("a negative number in a header")
    return value


def _name(header: bytes) -> str:
    name = _text(header[:100].split(b"\0", 1)[0])
    if header[257:263] != b"ustar\0":
        return name
    prefix = _text(header[345:500].split(b"\0", 1)[0])
    return f"{prefix}/{name}" if prefix else name


def _text(name: bytes) -> str:
    # Keys go into Parquet, which takes UTF-8 only.
    return name.decode("utf-8", "backslashreplace")


def _pax_records(data: bytes) -> dict[str, str]:
    """`<length> <name>=<value>\\n` …, lengths in bytes including themselves."""
    records: dict[str, str] = {}
    while data:
        length, space, _ = data.partition(b" ")
        if not space or not length.isdigit() or not len(length) < int(length) <= len(data):
            raise DamagedTar(f"{data[:20]!r} in a pax header, expected a record")
        name, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        records[_text(name)] = _text(value)
        data = data[int(length) :]
    return records
