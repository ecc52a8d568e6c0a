"""`write_synthetic_index`: a catalog with one index over given codes, and a model, without pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from operators.binary_codes import BinaryCodes
from operators.features.pixel_features import PixelFeatures
from operators.hashers.random_projection import RandomProjection
from operators.models.hashing_model import HashingModel
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.index_builder import BuildPlan, build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest

_FILE_ROWS = 2**20
_SIDE = 8


def write_synthetic_index(
    catalog: str, index: str, codes: BinaryCodes, *, num_shards: int, search_kind: str = "scan", first_id: int = 0
) -> IndexManifest:
    """Row i has id `first_id` + i, in digits its key; alias `live` points at the generation. The model is LSH on small
    pictures."""
    store = open_store(catalog)
    hasher = RandomProjection(num_bits=codes.num_bits, seed=0)
    model = HashingModel(PixelFeatures(side=_SIDE, gray=True), hasher)
    pixels = np.random.default_rng(0).integers(0, 256, (16, _SIDE, _SIDE, 3), dtype=np.uint8)
    hasher.fit(model.features.extract(pixels))
    stored = ModelStore(catalog, store).save("synthetic", model, {})
    plan = BuildPlan(
        catalog=catalog,
        index=index,
        collection="synthetic",
        table_version=0,
        model_id=stored.model_id,
        model_fingerprint=stored.fingerprint,
        num_bits=codes.num_bits,
        num_rows=len(codes),
        num_shards=num_shards,
        search_kind=search_kind,
    )
    manifest = build_generation(store, plan, _tables(codes, first_id))
    IndexCatalog(catalog, store).point_alias(index, "live", manifest.generation)
    return manifest


def _tables(codes: BinaryCodes, first_id: int) -> Iterator[pa.Table]:
    num_bytes = codes.packed.shape[1]
    for start in range(0, len(codes), _FILE_ROWS):
        packed = np.ascontiguousarray(codes.packed[start : start + _FILE_ROWS])
        ids = pa.array(np.arange(first_id + start, first_id + start + len(packed), dtype=np.int64))
        code = pa.FixedSizeBinaryArray.from_buffers(pa.binary(num_bytes), len(packed), [None, pa.py_buffer(packed)])
        keys = pc.cast(ids, pa.string())
        yield pa.table({"id": ids, "code": code, "key": keys, "uri": keys})
