"""`sample_corpus_path`: where the pictures are that ship with the package."""

from __future__ import annotations

from pathlib import Path

SAMPLE_CORPUS_NAME = "openclipart.parquet"


def sample_corpus_path() -> Path:
    """About 1,000 public-domain drawings in a Parquet file: `key`, `image` (PNG), `category`, `title`, `keywords`.

    `rebuild.py` beside it makes the file from the Debian packages openclipart-png and openclipart-svg.
    """
    return Path(__file__).with_name(SAMPLE_CORPUS_NAME)
