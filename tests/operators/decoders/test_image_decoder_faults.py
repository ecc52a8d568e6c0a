"""Bad files: cut short, mutated, mislabelled or built to fill memory. Refused with a reason, nothing else."""

import contextlib
import pickle
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from operators.decoders.image_decoder import decode_image, decode_thumbnail
from operators.errors import MediaTooLarge, UndecodableMedia
from tests.media_samples import animated_samples, bombs, cmyk_jpeg, not_pictures, rotated, samples_by_format

VALID = {
    **samples_by_format(),
    **{f"animated-{name}": data for name, data in animated_samples().items()},
    "jpeg-cmyk": cmyk_jpeg((10, 200, 30, 40)),
    "jpeg-exif": rotated(6),
}
MEGABYTE = 2**20

MEASURE_PEAK = """
import sys
from pathlib import Path
from operators.decoders.image_decoder import DecodeLimits, decode_image
from operators.errors import MediaTooLarge
from tests.media_samples import bombs, samples_by_format
def peak_kib():
    # Not ru_maxrss: a child begins with the peak of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
files = bombs()
decode_image(samples_by_format()["jpeg"], side=32)
before = peak_kib()
for name in sys.argv[2].split(","):
    try:
        decode_image(files[name], side=32, limits=DecodeLimits(max_pixels=int(sys.argv[1])))
        print("decoded", name)
    except MediaTooLarge:
        print("refused", name)
print("growth", (peak_kib() - before) * 1024)
"""


def peak_growth(max_pixels: int, names: list[str]) -> tuple[list[str], int]:
    """Decode the named bombs in a fresh process; what became of each, and by how many bytes its peak memory grew."""
    command = [sys.executable, "-c", MEASURE_PEAK, str(max_pixels), ",".join(names)]
    *outcomes, growth = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return outcomes, int(growth.removeprefix("growth "))


def test_bombs_cost_no_memory() -> None:
    outcomes, growth = peak_growth(40_000_000, sorted(bombs()))
    assert outcomes == [f"refused {name}" for name in sorted(bombs())]
    assert growth < 16 * MEGABYTE


def test_the_memory_measurement_notices_a_bomb_that_is_let_through() -> None:
    outcomes, growth = peak_growth(170_000_000, ["png"])
    assert outcomes == ["decoded png"]
    assert growth > 100 * MEGABYTE


@pytest.mark.parametrize("name", not_pictures())
def test_what_is_not_a_picture_is_refused(name: str) -> None:
    for decode in (lambda data: decode_image(data, side=8), lambda data: decode_thumbnail(data, max_side=8)):
        with pytest.raises(UndecodableMedia):
            decode(not_pictures()[name])


def test_the_reason_shows_what_the_file_begins_with() -> None:
    with pytest.raises(UndecodableMedia, match=re.escape("begins with b'<!DOCTYPE ht'")):
        decode_image(not_pictures()["html-error-page"], side=8)
    with pytest.raises(UndecodableMedia, match="empty: 0 bytes"):
        decode_image(b"", side=8)


def test_the_reason_is_stable_names_the_type_and_pickles() -> None:
    cut = samples_by_format()["png"][:-40]
    with pytest.raises(UndecodableMedia, match=r"^image/png: OSError: image file is truncated") as refusal:
        decode_image(cut, side=8)
    assert str(pickle.loads(pickle.dumps(refusal.value))) == str(refusal.value)  # noqa: S301


@pytest.mark.parametrize("name", VALID)
def test_a_file_cut_short_is_refused_or_whole_never_half_gray(name: str) -> None:
    data = VALID[name]
    whole = decode_image(data, side=48).pixels.tobytes()
    num_refused = 0
    for length in range(0, len(data), max(1, len(data) // 150)):
        try:
            assert decode_image(data[:length], side=48).pixels.tobytes() == whole
        except UndecodableMedia:
            num_refused += 1
    assert num_refused > 20


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(VALID)),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=12),
    only_header=st.booleans(),
)
def test_mutated_files_give_pixels_or_one_of_two_errors(
    name: str, changes: list[tuple[float, int]], only_header: bool
) -> None:
    data = bytearray(VALID[name])
    for position, value in changes:
        data[int(position * (min(200, len(data)) if only_header else len(data)))] = value
    with contextlib.suppress(UndecodableMedia, MediaTooLarge):
        assert decode_image(bytes(data), side=16).pixels.shape == (16, 16, 3)


def test_a_full_machine_is_not_blamed_on_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(_: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", no_memory)
    with pytest.raises(MemoryError):
        decode_image(samples_by_format()["jpeg"], side=8)
