"""`TrainingCheckpoint`: all that a killed training needs to go on, as bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from pipeline.errors import CorruptFile
from pipeline.object_store.sealed_json import seal, unseal
from pipeline.training.epoch_figures import EpochFigures

_FORMAT_VERSION = 1
_REMEDY = "it is not used"
_STATE, _BEST = "state.", "best."

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingCheckpoint:
    """`state` of the run after `history[-1]`; `best`: the hasher's tensors after the epoch with the best validation
    value, empty while there is none."""

    state: Arrays
    best: Arrays
    history: tuple[EpochFigures, ...]

    @property
    def num_epochs_done(self) -> int:
        return len(self.history)

    def tensor_bytes(self) -> bytes:
        """State and best tensors as safetensors."""
        named = {_STATE + name: array for name, array in self.state.items()}
        named |= {_BEST + name: array for name, array in self.best.items()}
        data: bytes = safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in named.items()})
        return data

    def record(self, request_digest: str, tensors_file: str, tensors: bytes) -> bytes:
        """JSON that seals itself and the tensors' bytes, and says to which request they belong."""
        return seal(
            {
                "format_version": _FORMAT_VERSION,
                "request": request_digest,
                "tensors_file": tensors_file,
                "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
                "history": [figures.to_json() for figures in self.history],
            }
        )

    @classmethod
    def from_files(cls, record: Mapping[str, Any], tensors: bytes, uri: str) -> Self:
        """Raises `CorruptFile` unless these are the tensors of that record."""
        given = hashlib.sha256(tensors).hexdigest()
        if given != record["tensors_sha256"]:
            raise CorruptFile(uri, f"its sha256 is {given}, recorded was {record['tensors_sha256']}", _REMEDY)
        arrays: dict[str, NDArray[np.generic]] = safetensors.numpy.load(tensors)
        return cls(
            state={name.removeprefix(_STATE): a for name, a in arrays.items() if name.startswith(_STATE)},
            best={name.removeprefix(_BEST): a for name, a in arrays.items() if name.startswith(_BEST)},
            history=tuple(EpochFigures.from_json(fields) for fields in record["history"]),
        )


def read_record(data: bytes, uri: str, request_digest: str) -> dict[str, Any]:
    """The content of a record. Raises `CorruptFile` for changed bytes and for a record of another request."""
    record = unseal(data, uri, format_version=_FORMAT_VERSION, remedy=_REMEDY)
    if record["request"] != request_digest:
        raise CorruptFile(uri, f"it belongs to request {record['request']}, not {request_digest}", _REMEDY)
    return record
