"""The bare loop that an encode job is measured against: one plain process, no Ray, no table, no resume.

    python -m pipeline.encoding.bare_loop share.json

Read, decode, features, hash, Parquet: the same calls in the same order as the job makes for each picture, and nothing
else. As many of these processes as there are cores are the most that the machine gives to this program.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, concatenate
from operators.decoders.image_decoder import decode_image
from pipeline.code_shards.encoded_row import EncodedRow
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.code_shards.shard_writer import ShardSettings, write_task
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore

_BATCH_PICTURES = 64


@dataclass(frozen=True, kw_only=True)
class LoopShare:
    """Every `num_processes`-th of the folder's .jpg files from number `process` on, to shards below `out`, a local
    folder. `finished` is the file that a `LoopTimes` is written to."""

    catalog: str
    model: str
    folder: str
    out: str
    finished: str
    process: int
    num_processes: int
    pictures_per_shard: int


@dataclass(frozen=True, kw_only=True)
class LoopTimes:
    """`started` and `ended`: time.time() before the first picture and after the last shard."""

    num_pictures: int
    started: float
    ended: float


class BareLoop:
    """One process's share of the work, with the model loaded."""

    def __init__(self, share: LoopShare) -> None:
        self._share = share
        self._store = LocalStore()
        self._stored, self._model = ModelStore(share.catalog, self._store).load(share.model)

    def run(self) -> LoopTimes:
        """Encode the share. Raises for the first picture that does not decode."""
        started = time.time()
        folder = Path(self._share.folder)
        paths = sorted(folder.rglob("*.jpg"))[self._share.process :: self._share.num_processes]
        for shard in _chunks(paths, self._share.pictures_per_shard):
            self._encode_shard(folder, shard)
        return LoopTimes(num_pictures=len(paths), started=started, ended=time.time())

    def _encode_shard(self, folder: Path, paths: list[Path]) -> None:
        rows: list[EncodedRow] = []
        codes: list[BinaryCodes] = []
        for batch in _chunks(paths, _BATCH_PICTURES):
            decoded = [self._decode(folder, path) for path in batch]
            rows += [row for row, _ in decoded]
            codes.append(self._model.encode_pixels(np.stack([pixels for _, pixels in decoded])))
        write_task(self._store, self._shard_settings(len(paths)), rows, concatenate(codes), [])

    def _decode(self, folder: Path, path: Path) -> tuple[EncodedRow, NDArray[np.uint8]]:
        data = path.read_bytes()
        image = decode_image(data, side=self._model.side)
        row = EncodedRow(
            key=path.relative_to(folder).as_posix(),
            uri=str(path),
            content_sha256=hashlib.sha256(data).digest(),
            media_type=image.media_type,
            width=image.width,
            height=image.height,
            source_etag="",
            label=path.parent.name,
        )
        return row, image.pixels

    def _shard_settings(self, num_items: int) -> ShardSettings:
        return ShardSettings(
            collection_uri=self._share.out,
            identity=CollectionIdentity(
                model_id=self._stored.model_id,
                model_fingerprint=self._stored.fingerprint,
                num_bits=self._model.num_bits,
            ),
            settings_sha256="0" * 64,
            source_id="0" * 16,
            task_id=uuid.uuid4().hex,
            salt=0,
            attempt=uuid.uuid4().hex[:16],
            encoded_at=datetime.now(UTC).replace(microsecond=0),
            num_items=num_items,
        )


def main() -> None:
    """Encode the share in the JSON file that the command line names."""
    share = LoopShare(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    times = BareLoop(share).run()
    Path(share.finished).write_text(json.dumps(asdict(times)), encoding="utf-8")


def _chunks(paths: list[Path], size: int) -> Iterator[list[Path]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


if __name__ == "__main__":
    main()
