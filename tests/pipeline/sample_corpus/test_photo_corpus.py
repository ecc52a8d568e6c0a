"""Photos are the same for the same seed, look like photos to a decoder, and are made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from operators.decoders.image_decoder import decode_image
from pipeline.sample_corpus import photo_corpus
from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings, make_photo_corpus

_SMALL = PhotoCorpusSettings(num_photos=5, width=96, height=64)


def _photos(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}


def test_the_same_settings_give_the_same_photos(tmp_path: Path) -> None:
    first = _photos(make_photo_corpus(tmp_path / "a", _SMALL))
    second = _photos(make_photo_corpus(tmp_path / "b", _SMALL))
    assert first == second
    assert len(set(first.values())) == 5


def test_a_photo_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    many = _photos(make_photo_corpus(tmp_path, _SMALL))
    few = _photos(make_photo_corpus(tmp_path, replace(_SMALL, num_photos=2)))
    assert few.items() <= many.items()
    assert len(few) == 2


def test_another_seed_gives_other_photos(tmp_path: Path) -> None:
    first = _photos(make_photo_corpus(tmp_path, _SMALL))
    other = _photos(make_photo_corpus(tmp_path, replace(_SMALL, seed=1)))
    assert first.keys() == other.keys()
    assert set(first.values()).isdisjoint(other.values())


def test_a_photo_has_the_size_asked_for_and_the_weight_of_a_photo(tmp_path: Path) -> None:
    folder = make_photo_corpus(tmp_path, PhotoCorpusSettings(num_photos=3))
    for data in _photos(folder).values():
        image = decode_image(data, side=64)
        assert (image.width, image.height, image.media_type) == (1024, 768, "image/jpeg")
        assert 100_000 < len(data) < 250_000


def test_photos_are_made_once(tmp_path: Path) -> None:
    folder = make_photo_corpus(tmp_path, _SMALL)
    (folder / "0000" / "0000000.jpg").write_bytes(b"mine")
    assert make_photo_corpus(tmp_path, _SMALL) == folder
    assert (folder / "0000" / "0000000.jpg").read_bytes() == b"mine"


def test_what_a_killed_maker_left_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(job: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(photo_corpus, "_write_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            make_photo_corpus(tmp_path, _SMALL)
    assert len(_photos(make_photo_corpus(tmp_path, _SMALL))) == 5


def test_copies_are_other_names_of_the_same_photos(tmp_path: Path) -> None:
    photos = make_photo_corpus(tmp_path, _SMALL)
    settings = replace(_SMALL, num_copies=3)
    copies = make_photo_corpus(tmp_path, settings)
    assert len(_photos(copies)) == settings.num_files == 15
    for name in _photos(photos):
        assert all((copies / str(copy) / name).samefile(photos / name) for copy in range(3))
    assert make_photo_corpus(tmp_path, settings) == copies


def test_folders_are_written_by_several_processes(tmp_path: Path) -> None:
    few = _photos(make_photo_corpus(tmp_path, _SMALL))
    many = _photos(make_photo_corpus(tmp_path, replace(_SMALL, num_photos=1001)))
    assert len(many) == 1001
    assert few.items() <= many.items()
    assert "0001/0001000.jpg" in many
