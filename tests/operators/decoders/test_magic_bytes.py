"""The first bytes decide, for every format, and no near miss is taken for a picture."""

import pytest

from operators.decoders.magic_bytes import media_type_of
from tests.media_samples import animated_samples, not_pictures, samples_by_format


@pytest.mark.parametrize("name", samples_by_format())
def test_every_format_is_recognized(name: str) -> None:
    assert media_type_of(samples_by_format()[name]) == f"image/{name.split('-')[0]}"


@pytest.mark.parametrize("name", animated_samples())
def test_animated_files_are_recognized(name: str) -> None:
    assert media_type_of(animated_samples()[name]) == f"image/{name}"


@pytest.mark.parametrize("name", [name for name in not_pictures() if "jpeg" not in name and "magic" not in name])
def test_other_files_are_not_pictures(name: str) -> None:
    assert media_type_of(not_pictures()[name]) is None


@pytest.mark.parametrize(
    ("file_type_box", "expected"),
    [
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "image/avif"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heicmiaf", None),
        (b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1avif", None),  # the brand lies behind the end of the box
        (b"\xff\xff\xff\xffftypmif1\x00\x00\x00\x00mif1", None),
        (b"\x00\x00\x00\x1cftypisom\x00\x00\x00\x00mif1avifmiaf", None),
    ],
)
def test_a_general_container_is_avif_only_if_it_lists_the_brand(file_type_box: bytes, expected: str | None) -> None:
    assert media_type_of(file_type_box) == expected


def test_every_prefix_is_safe_to_ask_about() -> None:
    for data in samples_by_format().values():
        answers = {media_type_of(data[:length]) for length in range(64)}
        assert answers == {None, media_type_of(data)}
