"""A service over drawings in files, with everything real behind it but Ray, for tests of the page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.committer import Committer
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.code_shards.shard_writer import write_task
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.jobs.serve_index import changes_of, open_indexes
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.sample_corpus.sample_corpus import sample_corpus_path
from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.service_app import make_app
from pipeline.search_api.service_limits import DEFAULT_LIMITS
from pipeline.search_api.service_metrics import ServiceMetrics
from pipeline.settings import Settings
from tests.pipeline.jobs.search_examples import NUM_BITS, decoded, fitted_model, picture_row, task_settings
from tests.pipeline.search_api.running_service import running_app

NUM_DRAWINGS = 90
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class BrowsedCatalog:
    """Indexes `drawings` and `others` of drawings `files`; the title of drawing n is `title n`, of one it is
    `HOSTILE`."""

    folder: str
    files: tuple[Path, ...]


def make_browsed_catalog(folder: Path) -> BrowsedCatalog:
    """Every tenth drawing of the sample corpus."""
    catalog, pictures = str(folder / "catalog"), folder / "pictures"
    pictures.mkdir()
    corpus = pq.read_table(sample_corpus_path(), columns=["image", "category"]).to_pylist()[::10][:NUM_DRAWINGS]
    files = tuple(pictures / f"{number}.png" for number in range(NUM_DRAWINGS))
    for file, drawing in zip(files, corpus, strict=True):
        file.write_bytes(drawing["image"])
    model = fitted_model()
    store = open_store(catalog)
    stored = ModelStore(catalog, store).save("lsh12", model, {})
    identity = CollectionIdentity(
        model_id=stored.model_id,
        model_fingerprint=stored.fingerprint,
        num_bits=NUM_BITS,
        carried={"title": "string"},
    )
    table = CodeTable.create(join_uri(catalog, "collections", "drawings"), identity)
    rows = [
        replace(
            picture_row(number),
            uri=str(file),
            content_sha256=hashlib.sha256(file.read_bytes()).digest(),
            label=drawing["category"],
            carried={"title": HOSTILE if number == 7 else f"title {number}"},
        )
        for number, (file, drawing) in enumerate(zip(files, corpus, strict=True))
    ]
    codes = model.encode_pixels(decoded([file.read_bytes() for file in files]))
    committer = Committer(table)
    committer.add(write_task(store, task_settings(table, 0, len(rows)), rows, codes, []))
    committer.finish()
    for index in ("drawings", "others"):
        build_index(BuildSettings(catalog=catalog, collection="drawings", index=index, num_shards=2))
    return BrowsedCatalog(catalog, files)


@contextmanager
def browsed_service(catalog: str, keys: ApiKeys | None = None) -> Iterator[str]:
    """The address of a service over all indexes, which takes changes."""
    settings = Settings()
    with open_indexes(catalog, (), settings, DEFAULT_LIMITS) as served:
        service = SearchService(served, changes_of(catalog, "live", None), DEFAULT_LIMITS)
        app = make_app(service, keys=keys, metrics=ServiceMetrics(), refresh_seconds=0.2)
        with running_app(app) as url:
            yield url
