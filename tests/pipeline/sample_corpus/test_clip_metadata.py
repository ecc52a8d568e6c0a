"""RDF inside SVG: titles, keywords and the license."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipeline.sample_corpus.clip_metadata import ClipMetadata, read_clip_metadata

_SVG = """<svg xmlns="http://www.w3.org/2000/svg"><metadata>
<rdf:RDF xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"
         xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><cc:Work>
<dc:title>  An
  Apple </dc:title>
<dc:subject><rdf:Bag><rdf:li>hash</rdf:li><rdf:li/><rdf:li>food</rdf:li><rdf:li>apple</rdf:li><rdf:li>food</rdf:li>
</rdf:Bag></dc:subject>
<dc:publisher><cc:Agent><dc:title>A Person</dc:title></cc:Agent></dc:publisher>
<cc:license rdf:resource="LICENSE"/>
</cc:Work></rdf:RDF></metadata></svg>"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "drawing.svg"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("license_uri", "public"),
    [("http://web.resource.org/cc/PublicDomain", True), ("http://creativecommons.org/licenses/by-sa/2.0/", False)],
)
def test_reads_title_keywords_and_license(tmp_path: Path, license_uri: str, public: bool) -> None:
    metadata = read_clip_metadata(_write(tmp_path, _SVG.replace("LICENSE", license_uri)))
    assert metadata == ClipMetadata(title="An Apple", keywords=("food", "apple"), license_uri=license_uri)
    assert metadata.is_public_domain is public


def test_a_drawing_without_metadata_is_not_public_domain(tmp_path: Path) -> None:
    metadata = read_clip_metadata(_write(tmp_path, "<svg xmlns='http://www.w3.org/2000/svg'/>"))
    assert metadata == ClipMetadata(title="", keywords=(), license_uri="")
    assert not metadata.is_public_domain


def test_broken_xml_raises(tmp_path: Path) -> None:
    with pytest.raises(ElementTree.ParseError):
        read_clip_metadata(_write(tmp_path, "<svg>"))
