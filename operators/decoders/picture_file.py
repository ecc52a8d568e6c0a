"""Open the bytes of one picture with exactly one Pillow decoder, and refuse what is too large before pixels exist.

The decoder's class is called directly instead of `PIL.Image.open`: only the format that the magic bytes say is tried,
a JPEG with further pictures behind it is read as a JPEG, and our own cap rules instead of Pillow's process-wide one.

What stays outside the cap: an AVIF whose coded frame is larger than the size its container declares is bounded only by
libavif's own limit of 16384 x 16384 pixels.
"""

from __future__ import annotations

from io import BytesIO

from PIL import AvifImagePlugin
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from operators.decoders.canvas_size import gif_canvas_size, webp_canvas_size
from operators.errors import MediaTooLarge, UndecodableMedia

# Pictures are decoded side by side, one per core; by default every AVIF would start a thread for each core as well.
# A module value is the only way that Pillow offers to say so.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_DECODERS: dict[str, type[ImageFile]] = {
    "image/jpeg": JpegImageFile,
    "image/png": PngImageFile,
    "image/gif": GifImageFile,
    "image/webp": WebPImageFile,
    "image/avif": AvifImageFile,
    "image/bmp": BmpImageFile,
}
_JPEG_END = b"\xff\xd9"


def open_picture(data: bytes, media_type: str, *, max_pixels: int) -> ImageFile:
    """Return the picture's first frame, opened and not yet decoded; its `size` is the stored one, before rotation.

    Raises MediaTooLarge if width x height exceeds `max_pixels`, and whatever Pillow raises on a malformed header.
    """
    if media_type == "image/gif":
        _check_pixels(gif_canvas_size(data), max_pixels)
    if media_type == "image/webp":
        _check_pixels(webp_canvas_size(data), max_pixels)
    stream = BytesIO(data)
    picture = _DECODERS[media_type](stream)
    _check_pixels(picture.size, max_pixels)
    # The decoder fills what a cut-off JPEG lacks with gray if anything, even zeros, follows the cut.
    if media_type == "image/jpeg" and data.rfind(_JPEG_END, stream.tell()) < 0:
        raise UndecodableMedia("no end marker: the file is cut short", media_type)
    return picture


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    num_pixels = size[0] * size[1]
    if num_pixels > max_pixels:
        raise MediaTooLarge("pixels", num_pixels, max_pixels)
