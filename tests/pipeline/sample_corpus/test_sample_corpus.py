"""The shipped corpus: what a first user's demo stands on."""

import hashlib
import io
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.sample_corpus.clip_thumbnail import MAX_SIDE
from pipeline.sample_corpus.rebuild import CATEGORY_FOLDERS, ITEMS_PER_CATEGORY, SCHEMA
from pipeline.sample_corpus.sample_corpus import sample_corpus_path


@pytest.fixture(scope="module")
def corpus() -> pa.Table:
    return pq.read_table(sample_corpus_path())


def test_schema_and_license_note(corpus: pa.Table) -> None:
    assert corpus.schema.equals(SCHEMA, check_metadata=True)
    assert b"public domain" in corpus.schema.metadata[b"license"]


def test_about_a_thousand_rows_in_at_most_six_megabytes(corpus: pa.Table) -> None:
    assert 900 <= corpus.num_rows <= 1100
    assert sample_corpus_path().stat().st_size <= 6_000_000


def test_keys_are_unique_and_ascending(corpus: pa.Table) -> None:
    keys = corpus["key"].to_pylist()
    assert keys == sorted(set(keys))


def test_categories_are_balanced(corpus: pa.Table) -> None:
    num_items = Counter(corpus["category"].to_pylist())
    assert set(num_items) == set(CATEGORY_FOLDERS)
    assert min(num_items.values()) >= 30
    assert max(num_items.values()) <= ITEMS_PER_CATEGORY


def test_every_picture_decodes_and_is_small(corpus: pa.Table) -> None:
    for key, image in zip(corpus["key"].to_pylist(), corpus["image"].to_pylist(), strict=True):
        with Image.open(io.BytesIO(image)) as opened:
            assert opened.format == "PNG", key
            assert max(opened.convert("RGB").size) <= MAX_SIDE, key


def test_no_two_pictures_have_the_same_bytes(corpus: pa.Table) -> None:
    digests = {hashlib.sha256(image).digest() for image in corpus["image"].to_pylist()}
    assert len(digests) == corpus.num_rows


def test_every_drawing_has_a_title_of_its_own_or_nearly(corpus: pa.Table) -> None:
    num_uses = Counter(corpus["title"].to_pylist())
    assert all(title.strip() == title and title for title in num_uses)
    assert max(num_uses.values()) <= 5
