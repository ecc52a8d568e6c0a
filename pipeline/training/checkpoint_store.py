"""`CheckpointStore`: the checkpoints of one training in the catalog."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable

from pipeline.errors import CorruptFile, ObjectNotFound
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri
from pipeline.training.training_checkpoint import TrainingCheckpoint, read_record

_RECORD = re.compile(r"\d{6}\.json")

_log = logging.getLogger(__name__)


class CheckpointStore:
    """Under `<catalog>/training/<name>/<request digest>/`: `<epoch>.json`, written last, and the safetensors file that
    it names by sha256. A new checkpoint is written before older ones are removed; the last one is kept.

    The digest is over everything that decides how the training ends, so that nothing is ever taken from another.
    """

    def __init__(self, catalog: str, store: ObjectStore, name: str, request_digest: str) -> None:
        self._of_model = join_uri(catalog, "training", name)
        self._folder = join_uri(self._of_model, request_digest)
        self._digest = request_digest
        self._store = store

    def save(self, checkpoint: TrainingCheckpoint) -> None:
        """Write it, then remove all others. Raises `StorageError`; what was there is then still there."""
        tensors = checkpoint.tensor_bytes()
        epoch = f"{checkpoint.num_epochs_done:06d}"
        tensors_file = f"{epoch}-{hashlib.sha256(tensors).hexdigest()[:16]}.safetensors"
        record_file = f"{epoch}.json"
        self._store.write(join_uri(self._folder, tensors_file), tensors)
        record = checkpoint.record(self._digest, tensors_file, tensors)
        self._store.write(join_uri(self._folder, record_file), record)
        self._remove(keep={tensors_file, record_file})

    def latest(self, note: Callable[[str], None] = _log.warning) -> TrainingCheckpoint | None:
        """The newest whole checkpoint of this request; None when there is none. What is damaged is passed over and
        named to `note`; so are checkpoints of other requests for the same model name."""
        self._name_others(note)
        names = self._names()
        for name in sorted(filter(_RECORD.fullmatch, names), reverse=True):
            try:
                return self._read(name)
            except (CorruptFile, ObjectNotFound) as error:
                note(f"checkpoint passed over: {error}")
        return None

    def at_epoch(self, num_epochs_done: int) -> TrainingCheckpoint:
        """Raises `ObjectNotFound`, `CorruptFile`."""
        return self._read(f"{num_epochs_done:06d}.json")

    def remove(self) -> None:
        """Remove every checkpoint of this request: its model is stored."""
        self._remove(keep=set())

    def _read(self, name: str) -> TrainingCheckpoint:
        uri = join_uri(self._folder, name)
        record = read_record(self._store.read(uri), uri, self._digest)
        tensors_uri = join_uri(self._folder, record["tensors_file"])
        return TrainingCheckpoint.from_files(record, self._store.read(tensors_uri), tensors_uri)

    def _remove(self, keep: set[str]) -> None:
        """Records go first: a record without its tensors would look damaged."""
        for name in sorted(self._names() - keep, key=lambda name: (not _RECORD.fullmatch(name), name)):
            self._store.delete(join_uri(self._folder, name))

    def _names(self) -> set[str]:
        return {uri.removeprefix(f"{self._folder}/") for uri in self._uris(self._folder)}

    def _name_others(self, note: Callable[[str], None]) -> None:
        found = {uri.removeprefix(f"{self._of_model}/").split("/")[0] for uri in self._uris(self._of_model)}
        for digest in sorted(found - {self._digest}):
            note(
                f"{self._of_model}/{digest} holds a checkpoint of other settings or other data (this request is "
                f"{self._digest}); it is not used, and may be deleted"
            )

    def _uris(self, folder: str) -> list[str]:
        try:
            return [info.uri for info in self._store.list(folder)]
        except ObjectNotFound:
            return []
