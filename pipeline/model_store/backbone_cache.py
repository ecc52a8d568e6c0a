"""`BackboneCache`: backbones as local folders, fetched once per machine and found by their content."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from operators.errors import InvalidSetting
from operators.features.backbone_folder import backbone_sha256, is_backbone_file, missing_backbone_files
from pipeline.errors import CorruptFile, ObjectNotFound, UsageError
from pipeline.object_store.object_store import ObjectInfo
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri, scheme_of

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WEIGHTS = ".safetensors"
_EXPECTED = "a transformers folder, s3://bucket/prefix, or the .safetensors file in one"

_log = logging.getLogger(__name__)


def default_backbone_dir() -> Path:
    """Where backbones that are not read in place are kept."""
    return Path.home() / ".cache" / "bitquarry" / "backbones"


@dataclass(frozen=True)
class BackboneCache:
    """Copies under `<cache_dir>/<sha256>/`, the sha256 being that of `backbone_sha256`.

    The content counts, not the place: a folder (or a link to one) under that name is taken for the backbone, wherever
    the model's settings say that it lies. So a backbone that was moved is found again by linking it there.
    """

    cache_dir: Path = field(default_factory=default_backbone_dir)

    def local_folder(self, place: str, sha256: str | None = None) -> Path:
        """A local folder with the backbone at `place`: a folder, `s3://bucket/prefix`, or a .safetensors file in one.

        A folder is returned as it is, for the caller to check; anything else is copied here first, whole or not at
        all, by one process at a time. With `sha256` a copy that is there is used, and no other content is stored.
        Raises `UsageError` when there is no backbone at `place`, `CorruptFile` for another content, `StorageError`.
        """
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise UsageError(f"backbone.sha256 = {sha256!r}: expected 64 lower-case hexadecimal digits")
        if sha256 is not None and self._has(sha256):
            return self.cache_dir / sha256
        if scheme_of(place) == "" and not place.endswith(_WEIGHTS):
            if not Path(place).is_dir():
                raise UsageError(self._not_there(place, "no such folder", sha256))
            return Path(place)
        with self._locked(sha256 or hashlib.sha256(place.encode()).hexdigest()) as partial:
            if sha256 is not None and self._has(sha256):
                return self.cache_dir / sha256
            self._copy(place, partial, sha256)
            return self._publish(place, partial, sha256)

    def _has(self, sha256: str) -> bool:
        """Whether there is a copy with that content. A damaged one counts as none; one that was linked is refused."""
        folder = self.cache_dir / sha256
        if not folder.exists():
            return False
        try:
            given = backbone_sha256(str(folder))
        except InvalidSetting as error:
            given = str(error)
        if given != sha256 and folder.is_symlink():
            remedy = "link the folder with the weights that the name says, or remove the link"
            raise CorruptFile(str(folder), f"its content has sha256 {given}", remedy)
        if given != sha256:
            _log.warning("cached backbone %s is damaged (sha256 %s), not used", folder, given)
        return given == sha256

    def _copy(self, place: str, partial: Path, sha256: str | None) -> None:
        """Read every file of the backbone into `partial`. The bytes are those that were listed, or an error."""
        parent, weights_name = place.rstrip("/"), None
        if place.endswith(_WEIGHTS):
            parent, _, weights_name = place.rpartition("/")
        store = open_store(parent)
        try:
            store.info(join_uri(parent, "config.json"))  # a wrong prefix may hold millions of other objects
            listed = _backbone_objects(parent, weights_name, store.list(parent))
        except ObjectNotFound as error:
            raise UsageError(self._not_there(place, str(error), sha256)) from None
        missing = missing_backbone_files(listed.keys())
        if missing:
            raise UsageError(self._not_there(place, f"it has no {', '.join(missing)}", sha256))
        for name, info in listed.items():
            _log.info("fetching %s, %d bytes", info.uri, info.size_bytes)
            (partial / name).write_bytes(store.read(info.uri, if_etag=info.etag))

    def _publish(self, place: str, partial: Path, sha256: str | None) -> Path:
        given = backbone_sha256(str(partial))
        if sha256 not in (None, given):
            raise CorruptFile(
                place,
                f"its content has sha256 {given}, the model was made with {sha256}",
                "put the old weights there again, or train another model on the new ones",
            )
        if sha256 is not None:
            return self._install(partial, given)
        with self._locked(given):  # until now the lock was that of the place
            return self._install(partial, given)

    def _install(self, partial: Path, sha256: str) -> Path:
        folder = self.cache_dir / sha256
        if not self._has(sha256):
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        return folder

    def _not_there(self, place: str, wrong: str, sha256: str | None) -> str:
        remedy = "" if sha256 is None else f"; if it was moved: ln -s NEW_FOLDER {self.cache_dir / sha256}"
        return f"no backbone at {place}: {wrong}; expected {_EXPECTED}{remedy}"

    @contextmanager
    def _locked(self, key: str) -> Iterator[Path]:
        """An empty folder to copy into, ours alone until the end. A lock ends with its process, however that ends."""
        self.cache_dir.mkdir(parents=True, exist_ok=True)
        partial = self.cache_dir / f"{key}.partial"
        descriptor = os.open(self.cache_dir / f"{key}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            shutil.rmtree(partial, ignore_errors=True)  # left by a killed process
            partial.mkdir()
            try:
                yield partial
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        finally:
            os.close(descriptor)


def _backbone_objects(parent: str, weights_name: str | None, objects: Iterator[ObjectInfo]) -> dict[str, ObjectInfo]:
    """File name -> object. Of a backbone named by its weights those alone count, under the name transformers reads."""
    listed: dict[str, ObjectInfo] = {}
    for info in objects:
        name = info.uri.removeprefix(f"{parent}/")
        if weights_name is not None and name.endswith((_WEIGHTS, ".index.json")):
            if name == weights_name:
                listed["model.safetensors"] = info
        elif is_backbone_file(name) and "/" not in name:
            listed[name] = info
    return listed
