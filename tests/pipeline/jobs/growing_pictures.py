"""A collection of pictures that grows, and whose tasks are replaced, as `encode` would do it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.code_shards.committer import Committer
from pipeline.code_shards.shard_writer import write_task
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.object_store.open_store import open_store
from pipeline.routing.search_answer import SearchAnswer
from pipeline.shard_index.index_manifest import IndexManifest
from tests.pipeline.jobs.search_examples import PictureCatalog, decoded, picture, picture_row, task_settings

NO_CHANGES: Mapping[int, int] = {}


def commit_pictures(
    pictures: PictureCatalog,
    numbers: Sequence[int],
    *,
    task: int,
    replaces: Sequence[int] = (),
    changed: Mapping[int, int] = NO_CHANGES,
) -> None:
    """Task number `task` with these pictures, in place of the tasks whose numbers are in `replaces`. `changed`: what
    the file of a picture holds now, by the number of another picture."""
    store, table = open_store(pictures.catalog), pictures.table
    contents = [picture(changed.get(number, number)) for number in numbers]
    rows = [
        replace(picture_row(number), content_sha256=hashlib.sha256(content).digest())
        for number, content in zip(numbers, contents, strict=True)
    ]
    codes = pictures.model.encode_pixels(decoded(contents))
    committer = Committer(table)
    committer.add(write_task(store, task_settings(table, task, len(rows)), rows, codes, []))
    replaced = {task_settings(table, number, 1).task_id for number in replaces}
    committer.finish([shard.name for shard in table.snapshot().shards if shard.name.task_id in replaced])


def build(pictures: PictureCatalog, *, num_shards: int = 2) -> IndexManifest:
    """A generation of index `photos`, live."""
    return build_index(
        BuildSettings(
            catalog=pictures.catalog, collection="pictures", index="photos", num_shards=num_shards, search_kind="scan"
        )
    )


def keys_of(answer: SearchAnswer) -> set[str]:
    return {neighbor.key for neighbor in answer.neighbors[0]}
