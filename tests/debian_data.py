"""Folders of real pictures that Debian packages install; tests that need one are skipped, loudly, without it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fashion_mnist_dir() -> Path:
    """Folder with the four gzipped IDX files of Fashion-MNIST."""
    return require_debian_data("dataset-fashion-mnist", Path("/usr/share/datasets/fashion-mnist"))


@pytest.fixture(scope="session")
def openclipart_dir() -> Path:
    """Folder tree with several thousand PNG drawings, one folder per subject."""
    return require_debian_data("openclipart-png", Path("/usr/share/openclipart/png"))


def require_debian_data(package: str, folder: Path) -> Path:
    """`folder`, which `package` installs; skips the test where it is not there."""
    if not folder.is_dir():
        pytest.skip(f"{package} is not installed: apt-get install {package}")
    return folder
