"""`ClipMetadata`: what an Open Clip Art drawing says about itself, from the RDF inside its SVG file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_CC = "{http://web.resource.org/cc/}"


@dataclass(frozen=True, kw_only=True)
class ClipMetadata:
    """`title` is "" where the drawing has none; `keywords` in its own order; `license_uri` "" if none."""

    title: str
    keywords: tuple[str, ...]
    license_uri: str

    @property
    def is_public_domain(self) -> bool:
        return self.license_uri.endswith("/PublicDomain")


def read_clip_metadata(svg: Path) -> ClipMetadata:
    """Read the `cc:Work` description of an SVG file of the Debian package openclipart-svg (trusted input).

    Raises xml.etree.ElementTree.ParseError where the file is not well-formed XML.
    """
    work = ElementTree.parse(svg).getroot().find(f".//{_CC}Work")
    if work is None:
        return ClipMetadata(title="", keywords=(), license_uri="")
    license_node = work.find(f"{_CC}license")
    return ClipMetadata(
        title=_one_line(work.findtext(f"{_DC}title") or ""),
        keywords=_words(work),
        license_uri="" if license_node is None else license_node.get(f"{_RDF}resource", ""),
    )


def _words(work: ElementTree.Element) -> tuple[str, ...]:
    words = (_one_line(item.text or "") for item in work.findall(f"{_DC}subject/{_RDF}Bag/{_RDF}li"))
    # "hash" is a leftover of the library's own export ("HASH(0x…)"), no keyword.
    return tuple(dict.fromkeys(word for word in words if word and word != "hash"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
