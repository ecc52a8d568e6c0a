"""URIs that lead back to the bytes of one item: a whole object, or a part of a container file.

A whole object is its path or `s3://` URI, verbatim. A part of a container is `<container>#<fragment>`, for example
`x.tar#a/b.jpg`, `t.parquet#row=7&column=image`, `images-idx3-ubyte.gz#7`. The fragment is never empty and holds no "#",
so the last "#" decides; an object whose own name holds "#" gets one more at the end (`a#b.jpg#`) to stay unambiguous.
"""

from __future__ import annotations


def object_uri(uri: str) -> str:
    """The item URI of a whole object."""
    return f"{uri}#" if "#" in uri else uri


def part_uri(container: str, fragment: str) -> str:
    """The item URI of a part of the container file. Raises `ValueError` for a fragment that is empty or holds "#"."""
    if not fragment or "#" in fragment:
        raise ValueError(f"{fragment!r}: a fragment has at least one character and no '#'")
    return f"{container}#{fragment}"


def split_uri(uri: str) -> tuple[str, str | None]:
    """Object or container, verbatim, and the fragment; None when the item is the whole object."""
    container, mark, fragment = uri.rpartition("#")
    if not mark:
        return uri, None
    return container, fragment or None


def quote_fragment(name: str) -> str:
    """`name` with "%" and "#" percent-encoded; everything else, spaces and newlines too, stays readable."""
    return name.replace("%", "%25").replace("#", "%23")


def unquote_fragment(fragment: str) -> str:
    return fragment.replace("%23", "#").replace("%25", "%")
