"""A catalog of pictures with an index, and the service over it, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from pipeline.jobs.build_index import BuildSettings, build_index
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog
from tests.pipeline.search_api.running_service import RunningService, running_service

INDEX = "pictures"
NUM_PICTURES = 60


@dataclass(frozen=True, eq=False)
class ServedPictures:
    """`codes`, `ids` and `keys` of the whole index, by ascending id."""

    running: RunningService
    catalog: PictureCatalog
    codes: BinaryCodes
    ids: np.ndarray
    keys: list[str]

    def path(self, rest: str = "query") -> str:
        return f"/v1/indexes/{INDEX}/{rest}"

    def nearest(self, code: np.ndarray, exclude_id: int | None = None) -> list[tuple[int, int]]:
        """(distance, id) of every item, by the slow obvious way."""
        bits = np.unpackbits(self.codes.packed ^ code, axis=1).sum(axis=1)
        pairs = zip(bits.tolist(), self.ids.tolist(), strict=True)
        return sorted(pair for pair in pairs if pair[1] != exclude_id)


def make_served_catalog(folder: str) -> PictureCatalog:
    """A catalog with index `pictures` of `NUM_PICTURES` pictures in three shards."""
    catalog = make_picture_catalog(folder, num_pictures=NUM_PICTURES, task_pictures=25)
    build_index(BuildSettings(catalog=folder, collection="pictures", index=INDEX, num_shards=3))
    return catalog


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPictures]:
    catalog = make_served_catalog(str(tmp_path_factory.mktemp("catalog")))
    codes, ids, keys = catalog.rows()
    with running_service(catalog.catalog, INDEX) as running:
        yield ServedPictures(running, catalog, codes, ids, keys)
