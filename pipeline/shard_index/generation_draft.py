"""`draft_generation`: a place for the files of a new generation, which its manifest publishes."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri, scheme_of
from pipeline.shard_index.index_manifest import MANIFEST_NAME, IndexFile, IndexManifest, generation_uri

BUILDER = f"bitquarry {version('bitquarry')}"
_TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class GenerationDraft:
    """Generation `name`, whose files are written to `folder`. Nothing of it is visible before `publish`."""

    name: str
    created_at: str
    folder: Path
    home: str
    store: ObjectStore
    _cleanup: ExitStack

    def publish(self, manifest: IndexManifest) -> None:
        """Bring the files where they belong, and the manifest last. Raises `StorageError`."""
        if scheme_of(self.home):
            for file in own_files(manifest):
                path = self.folder / file.name
                self.store.write(join_uri(self.home, file.name), path.read_bytes())
                path.unlink()
        else:
            self._cleanup.pop_all()  # from here on a failure may leave a manifest that names the files
        self.store.create(join_uri(self.home, MANIFEST_NAME), manifest.to_bytes())


@contextmanager
def draft_generation(store: ObjectStore, catalog: str, index: str, table_version: int) -> Iterator[GenerationDraft]:
    """An error in the block leaves no generation. Names ascend with time."""
    now = datetime.now(UTC)
    name = f"{now:{_TIME_FORMAT}}-v{table_version:06d}-{secrets.token_hex(2)}"
    home = generation_uri(catalog, index, name)
    with ExitStack() as cleanup:
        folder = _working_folder(home, cleanup)
        yield GenerationDraft(name, now.isoformat(), folder, home, store, cleanup)
        if not scheme_of(home):
            cleanup.pop_all()


def generation_time(name: str) -> datetime | None:
    """When the generation of that name was begun; None for a name that `draft_generation` did not give."""
    try:
        return datetime.strptime(name.split("-")[0], _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def discard_generation(store: ObjectStore, catalog: str, manifest: IndexManifest) -> None:
    """Remove a published generation that no alias has pointed at, its manifest first. Raises `StorageError`."""
    home = generation_uri(catalog, manifest.index, manifest.generation)
    for name in (MANIFEST_NAME, *(file.name for file in own_files(manifest))):
        store.delete(join_uri(home, name))
    if not scheme_of(home):
        shutil.rmtree(home, ignore_errors=True)


def own_files(manifest: IndexManifest) -> list[IndexFile]:
    """The files that lie in the generation's own folder."""
    files = [file for shard in manifest.shards if shard.home is None for file in shard.files]
    return files if manifest.deleted is None else [*files, manifest.deleted]


def _working_folder(home: str, cleanup: ExitStack) -> Path:
    """Local catalogs: the generation's own folder, where files lie unseen until the manifest names them."""
    if scheme_of(home):
        return Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bitquarry-index-")))
    folder = Path(home)
    folder.mkdir(parents=True)
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder
