"""A catalog with a model and a collection of small pictures, made by the real parts, for the tests of search."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
from PIL import Image

from operators.binary_codes import BinaryCodes
from operators.decoders.image_decoder import decode_image
from operators.features.pixel_features import PixelFeatures
from operators.hashers.product_quantization import ProductQuantization
from operators.hashers.random_projection import RandomProjection
from operators.models.hashing_model import HashingModel
from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.committer import Committer
from pipeline.code_shards.encoded_row import EncodedRow
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.code_shards.shard_writer import ShardSettings, write_task
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.shard_index.collection_rows import read_rows

NUM_BITS = 12
SIDE = 8


def picture(number: int) -> bytes:
    """A PNG of `SIDE` x `SIDE` random pixels."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def fitted_model(seed: int = 1) -> HashingModel:
    hasher = RandomProjection(num_bits=NUM_BITS, seed=seed)
    model = HashingModel(PixelFeatures(side=SIDE, gray=True), hasher)
    hasher.fit(model.features.extract(decoded([picture(number) for number in range(30)])))
    return model


def decoded(images: list[bytes]) -> np.ndarray:
    return np.stack([decode_image(image, side=SIDE).pixels for image in images])


@dataclass(frozen=True, eq=False)
class PictureCatalog:
    """Pictures 0 to `num_pictures - 1` are in collection `pictures`, in tasks of `task_pictures`."""

    catalog: str
    model: HashingModel
    num_pictures: int

    @property
    def table(self) -> CodeTable:
        return CodeTable.open(join_uri(self.catalog, "collections", "pictures"))

    def rows(self) -> tuple[BinaryCodes, np.ndarray, list[str]]:
        """Codes, ids and keys of the whole collection, by ascending id."""
        tables = list(read_rows(open_store(self.catalog), self.table, self.table.snapshot()))
        ids = np.concatenate([table.column("id").to_numpy() for table in tables])
        keys = [key for table in tables for key in table.column("key").to_pylist()]
        codes = [code for table in tables for code in table.column("code").to_pylist()]
        packed = np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), -1)
        return BinaryCodes(packed, self.model.num_bits), ids, keys


def quantizing_model() -> HashingModel:
    """Codes of two codebooks, whose distances are sums of lookup tables."""
    quantizer = ProductQuantization(num_bits=16, seed=1)
    model = HashingModel(PixelFeatures(side=SIDE, gray=True), quantizer)
    quantizer.fit(model.features.extract(decoded([picture(number) for number in range(300)])))
    return model


def make_picture_catalog(
    catalog: str, *, num_pictures: int = 20, task_pictures: int = 7, model: HashingModel | None = None
) -> PictureCatalog:
    """`model`: by default a random projection to `NUM_BITS` bits."""
    model = model or fitted_model()
    store = open_store(catalog)
    stored = ModelStore(catalog, store).save("lsh12", model, {})
    identity = CollectionIdentity(
        model_id=stored.model_id,
        model_fingerprint=stored.fingerprint,
        num_bits=model.num_bits,
        carried={},
        code_kind=model.code_kind,
    )
    table = CodeTable.create(join_uri(catalog, "collections", "pictures"), identity)
    committer = Committer(table)
    for first in range(0, num_pictures, task_pictures):
        numbers = list(range(first, min(first + task_pictures, num_pictures)))
        codes = model.encode_pixels(decoded([picture(number) for number in numbers]))
        rows = [picture_row(number) for number in numbers]
        committer.add(write_task(store, task_settings(table, first, len(rows)), rows, codes, []))
    committer.finish()
    return PictureCatalog(catalog, model, num_pictures)


def picture_row(number: int) -> EncodedRow:
    return EncodedRow(
        key=f"{number}.png",
        uri=f"/pictures/{number}.png",
        content_sha256=hashlib.sha256(picture(number)).digest(),
        media_type="image/png",
        width=SIDE,
        height=SIDE,
        source_etag="1",
        label=f"class {number % 3}",
    )


def task_settings(table: CodeTable, first: int, num_items: int) -> ShardSettings:
    return ShardSettings(
        collection_uri=table.uri,
        identity=table.identity,
        settings_sha256="0" * 64,
        source_id="5" * 16,
        task_id=hashlib.blake2b(b"%d" % first, digest_size=16).hexdigest(),
        salt=0,
        attempt="a" * 16,
        encoded_at=datetime(2026, 11, 20, tzinfo=UTC),
        num_items=num_items,
    )
