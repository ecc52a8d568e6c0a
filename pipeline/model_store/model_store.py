"""`ModelStore`: models by name and version in a catalog."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from uuid import uuid4

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from operators.features.feature_extractor import Json
from operators.models.hashing_model import HashingModel
from pipeline.errors import CommitConflict, CorruptFile, ObjectExists, ObjectNotFound, UnknownName
from pipeline.model_store.feature_opening import restore_model
from pipeline.model_store.model_record import REMEDY, ModelRecord
from pipeline.model_store.stored_model import StoredModel, check_model_name, parse_model_reference
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri

_RECORD_NAME = "model.json"
_TENSORS_NAME = "model.safetensors"
_STORED_FILE = re.compile(r"/([^/]+)/(\d{5,})/([^/]+)")
_MAX_LOST_RACES = 1000

logger = logging.getLogger(__name__)


class ModelStore:
    """Models under `<catalog>/models/<name>/<version>/`: `model.safetensors`, then `model.json`.

    Both are created, never replaced, and a version exists once its `model.json` does. A saver that was killed leaves a
    number that nobody uses; savers at the same time get different numbers.
    """

    def __init__(self, catalog: str, store: ObjectStore) -> None:
        self._folder = join_uri(catalog, "models")
        self._store = store

    def save(self, name: str, model: HashingModel, lineage: dict[str, Json]) -> StoredModel:
        """Store a fitted model as the next version of `name`.

        Raises `UsageError` for a name that cannot be one, `NotFitted`, `StorageError`, and `CommitConflict` when other
        savers keep taking the number.
        """
        check_model_name(name)
        contiguous = {key: np.asarray(tensor, order="C") for key, tensor in model.tensors().items()}
        tensors = safetensors.numpy.save(contiguous)
        first = 1 + max((version for version, _ in self._files(name)), default=0)
        for version in range(first, first + _MAX_LOST_RACES):
            record = ModelRecord(
                name=name,
                version=version,
                fingerprint=model.fingerprint,
                model=model.description(),
                lineage=lineage,
                tensors_sha256=hashlib.sha256(tensors).hexdigest(),
                attempt=uuid4().hex,
            )
            record_bytes = record.to_bytes()
            try:
                self._store.create(self._uri(name, version, _TENSORS_NAME), tensors)
                self._store.create(self._uri(name, version, _RECORD_NAME), record_bytes)
            except ObjectExists:
                continue
            logger.info("saved model %s@%d, fingerprint %s", name, version, record.fingerprint)
            return _stored_model(record)
        raise CommitConflict(f"model {name}: {_MAX_LOST_RACES} other savers took the next version; save again")

    def load(self, reference: str, *, device: str = "cpu") -> tuple[StoredModel, HashingModel]:
        """The model "name@version", or the newest of "name"; `device` is where a backbone computes.

        A backbone is fetched once per machine. Raises `UnknownName`, `CorruptFile` when the files are not what `save`
        wrote, and `UsageError`, `MissingExtra` or `InvalidSetting` when this machine lacks what the model needs (the
        backbone with the weights it was made with, transformers, a GPU).
        """
        name, wanted = parse_model_reference(reference)
        versions = sorted(version for version, file in self._files(name) if file == _RECORD_NAME)
        if not versions:
            raise UnknownName("model", name, self.names())
        version = versions[-1] if wanted is None else wanted
        if version not in versions:
            raise UnknownName("model", reference, tuple(f"{name}@{known}" for known in versions))
        record_uri = self._uri(name, version, _RECORD_NAME)
        record = ModelRecord.from_bytes(self._store.read(record_uri), record_uri)
        if (record.name, record.version) != (name, version):
            raise CorruptFile(record_uri, f"it is the record of {record.name}@{record.version}", REMEDY)
        model = restore_model(record.model, self._read_tensors(record), device=device)
        if model.fingerprint != record.fingerprint:
            raise CorruptFile(
                record_uri, f"its fingerprint is {record.fingerprint}, that of its content {model.fingerprint}", REMEDY
            )
        return _stored_model(record), model

    def names(self) -> tuple[str, ...]:
        """The names of all models with a saved version, sorted."""
        found = {name for name, _, file in self._listed(self._folder) if file == _RECORD_NAME}
        return tuple(sorted(found))

    def _read_tensors(self, record: ModelRecord) -> Mapping[str, NDArray[np.generic]]:
        uri = self._uri(record.name, record.version, _TENSORS_NAME)
        try:
            data = self._store.read(uri)
        except ObjectNotFound as error:
            raise CorruptFile(uri, "it is missing", REMEDY) from error
        given = hashlib.sha256(data).hexdigest()
        if given != record.tensors_sha256:
            raise CorruptFile(uri, f"its sha256 is {given}, recorded was {record.tensors_sha256}", REMEDY)
        tensors: dict[str, NDArray[np.generic]] = safetensors.numpy.load(data)
        return tensors

    def _files(self, name: str) -> Iterator[tuple[int, str]]:
        """(version, file name) of every file of one model, saved or left by a killed saver."""
        return ((version, file) for _, version, file in self._listed(join_uri(self._folder, name)))

    def _listed(self, folder: str) -> Iterator[tuple[str, int, str]]:
        try:
            for info in self._store.list(folder):
                match = _STORED_FILE.fullmatch(info.uri.removeprefix(self._folder))
                if match:
                    yield match[1], int(match[2]), match[3]
        except ObjectNotFound:
            return  # No model was ever saved here.

    def _uri(self, name: str, version: int, file: str) -> str:
        return join_uri(self._folder, name, f"{version:05d}", file)


def _stored_model(record: ModelRecord) -> StoredModel:
    return StoredModel(name=record.name, version=record.version, fingerprint=record.fingerprint, lineage=record.lineage)
