"""`ShardFetcher`: a verified local file for every file of a generation, in place or in a cache folder."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CorruptFile, ObjectNotFound
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri, scheme_of
from pipeline.shard_index.index_manifest import IndexFile, IndexManifest, generation_uri

_log = logging.getLogger(__name__)


def default_cache_dir() -> Path:
    """Where shards of an `s3://` catalog are kept when no folder is given."""
    return Path.home() / ".cache" / "bitquarry" / "shards"


@dataclass(frozen=True)
class ShardFetcher:
    """Local catalogs are read in place. Files of other stores are downloaded once to `cache_dir`, named by their
    sha256, so that catalogs and generations share them and a damaged copy is found and fetched again."""

    catalog: str
    store: ObjectStore
    cache_dir: Path | None = None

    def verified_path(self, manifest: IndexManifest, file: IndexFile, *, home: str | None = None) -> Path:
        """A local file whose size and sha256 are the manifest's, of generation `home` (None: the manifest's own).
        Raises `CorruptFile` naming the file and remedy."""
        uri = join_uri(generation_uri(self.catalog, manifest.index, home or manifest.generation), file.name)
        if scheme_of(uri):
            return self._cached(uri, file, manifest.remedy)
        path = Path(uri)
        wrong = find_damage(path, file)
        if wrong is not None:
            raise CorruptFile(uri, wrong, manifest.remedy)
        return path

    def _cached(self, uri: str, file: IndexFile, remedy: str) -> Path:
        folder = self.cache_dir if self.cache_dir is not None else default_cache_dir()
        path = folder / file.sha256[:2] / f"{file.sha256}{Path(file.name).suffix}"
        if path.exists():
            wrong = find_damage(path, file)
            if wrong is None:
                return path
            _log.warning("cached copy %s of %s is damaged (%s), fetching it again", path, uri, wrong)
        try:
            data = self.store.read(uri)
        except ObjectNotFound:
            raise CorruptFile(uri, "it is missing", remedy) from None
        wrong = _difference(len(data), hashlib.sha256(data).hexdigest(), file)
        if wrong is not None:
            raise CorruptFile(uri, wrong, remedy)
        _write_beside(path, data)
        return path


def find_damage(path: Path, file: IndexFile) -> str | None:
    """What is wrong with a local file, None when its bytes are the recorded ones. Reads the whole file."""
    try:
        with path.open("rb") as opened:
            size_bytes = os.fstat(opened.fileno()).st_size
            if size_bytes != file.size_bytes:
                return _difference(size_bytes, "", file)
            return _difference(size_bytes, hashlib.file_digest(opened, "sha256").hexdigest(), file)
    except FileNotFoundError:
        return "it is missing"


def _difference(size_bytes: int, sha256: str, file: IndexFile) -> str | None:
    if size_bytes != file.size_bytes:
        return f"it has {size_bytes:,} bytes, the manifest says {file.size_bytes:,}"
    if sha256 != file.sha256:
        return f"its sha256 is {sha256}, the manifest says {file.sha256}"
    return None


def _write_beside(path: Path, data: bytes) -> None:
    """Whole or not at all, also when several searchers fetch one file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
