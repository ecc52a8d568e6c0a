"""`KeyFile`: the keys in a file as it is now, so that a key that is taken back lets nobody in from then on."""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.search_api.api_keys import ApiKeys, KeyEntry

_log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]


class KeyFile:
    """Reads the file again when it was replaced or changed. A file that cannot be read leaves the keys as they were,
    and the log says so. Raises `UsageError` at the start for a file that cannot be read or holds no key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._current_stamp()
        self._keys = ApiKeys.read(path)
        if not len(self._keys):
            raise UsageError(f"serve.keys_file {path}: holds no key; make one: bitquarry keys add")

    def entry_of(self, key: str) -> KeyEntry | None:
        """Whose key it is, None for nobody's. As `ApiKeys.entry_of`."""
        stamp = self._current_stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._read_again()
        return self._keys.entry_of(key)

    def _read_again(self) -> None:
        try:
            self._keys = ApiKeys.read(self._path)
        except UsageError as error:
            _log.error("the keys stay as they were: %s", error)
        else:
            _log.info("key file %s holds %d keys now", self._path, len(self._keys))

    def _current_stamp(self) -> _Stamp | None:
        """Of the file that is there; None when there is none."""
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_mtime_ns, facts.st_size
