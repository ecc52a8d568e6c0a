"""`FeatureCache`: the features of a sample, kept in the catalog so that another method reads no picture."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from operators.features.feature_extractor import Json
from pipeline.errors import CorruptFile, ObjectNotFound
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.sealed_json import seal, unseal
from pipeline.object_store.uri_path import join_uri
from pipeline.training.sample_features import SampledFeatures

_FORMAT_VERSION = 1
_RECORD_NAME = "features.json"
_PART_BYTES = 64 * 2**20
_REMEDY = "delete its folder; the next train reads the pictures again"

_log = logging.getLogger(__name__)


class FeatureCache:
    """Samples under `<catalog>/features/<digest>/`: `part-*.parquet` with key, label, picture_sha256 and vector
    (float32, as many in every row), and `features.json`, written last, with the sha256 of every part."""

    def __init__(self, catalog: str, store: ObjectStore) -> None:
        self._folder = join_uri(catalog, "features")
        self._store = store

    def load(self, digest: str) -> SampledFeatures | None:
        """The sample kept under that digest; None when there is none. Raises `CorruptFile` for changed bytes."""
        record_uri = self._uri(digest, _RECORD_NAME)
        try:
            data = self._store.read(record_uri)
        except ObjectNotFound:
            return None
        record = unseal(data, record_uri, format_version=_FORMAT_VERSION, remedy=_REMEDY)
        features = np.empty((record["num_rows"], record["num_dims"]), np.float32)
        tables, start = [], 0
        for part in record["parts"]:
            table = self._read_part(self._uri(digest, part["file"]), part["sha256"])
            features[start : start + len(table)] = _vectors(table, record["num_dims"])
            tables.append(table.drop_columns(["vector"]))
            start += len(table)
        columns = pa.concat_tables(tables).to_pydict()
        _log.info("features of %s pictures from %s", f"{start:,}", record_uri)
        return SampledFeatures(
            features=features,
            keys=tuple(columns["key"]),
            labels=tuple(columns["label"]),
            picture_sha256=tuple(columns["picture_sha256"]),
            num_skipped=record["num_skipped"],
        )

    def save(self, digest: str, sample: SampledFeatures, identity: Mapping[str, Json]) -> None:
        """Keep a sample; `identity` is what the digest was taken of, for people to read. Raises `StorageError`."""
        num_rows, num_dims = sample.features.shape
        part_rows = max(1, _PART_BYTES // (4 * num_dims))
        parts = []
        for number, start in enumerate(range(0, num_rows, part_rows)):
            data = _parquet(sample, slice(start, start + part_rows))
            name = f"part-{number:05d}.parquet"
            self._store.write(self._uri(digest, name), data)
            parts.append({"file": name, "sha256": hashlib.sha256(data).hexdigest()})
        record = {
            "format_version": _FORMAT_VERSION,
            "num_rows": num_rows,
            "num_dims": num_dims,
            "num_skipped": sample.num_skipped,
            "parts": parts,
            "identity": dict(identity),
        }
        self._store.write(self._uri(digest, _RECORD_NAME), seal(record))

    def _read_part(self, uri: str, sha256: str) -> pa.Table:
        try:
            data = self._store.read(uri)
        except ObjectNotFound as error:
            raise CorruptFile(uri, "it is missing", _REMEDY) from error
        given = hashlib.sha256(data).hexdigest()
        if given != sha256:
            raise CorruptFile(uri, f"its sha256 is {given}, recorded was {sha256}", _REMEDY)
        return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()

    def _uri(self, digest: str, name: str) -> str:
        return join_uri(self._folder, digest, name)


def _parquet(sample: SampledFeatures, rows: slice) -> bytes:
    vectors = np.ascontiguousarray(sample.features[rows])
    table = pa.table(
        {
            "key": pa.array(sample.keys[rows], pa.string()),
            "label": pa.array(sample.labels[rows], pa.string()),
            "picture_sha256": pa.array(sample.picture_sha256[rows], pa.binary(32)),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1]),
        }
    )
    sink: Any = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, store_schema=False)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _vectors(table: pa.Table, num_dims: int) -> NDArray[np.float32]:
    """Parquet itself knows lists of any length only: the width is in the record."""
    values = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in table["vector"].chunks]
    flat: NDArray[np.float32] = np.concatenate(values) if values else np.empty(0, np.float32)
    return flat.reshape(len(table), num_dims)
