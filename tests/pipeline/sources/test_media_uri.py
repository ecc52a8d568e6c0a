from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.media_uri import object_uri, part_uri, quote_fragment, split_uri, unquote_fragment

NAMES = st.text(st.sampled_from("a#%23/5. é\n"), min_size=1)


@given(NAMES)
def test_object_names_come_back_verbatim(name: str) -> None:
    assert split_uri(object_uri(name)) == (name, None)


@given(NAMES, NAMES)
def test_parts_come_back_verbatim(container: str, name: str) -> None:
    found, fragment = split_uri(part_uri(container, quote_fragment(name)))
    assert (found, unquote_fragment(fragment or "")) == (container, name)


def test_plain_names_stay_as_they_are() -> None:
    assert object_uri("s3://b/a%2Fb é.jpg") == "s3://b/a%2Fb é.jpg"
    assert part_uri("x.tar", quote_fragment("a b/c.jpg")) == "x.tar#a b/c.jpg"


def test_an_object_and_a_part_never_look_alike() -> None:
    assert object_uri("x.tar#a.jpg") != part_uri("x.tar", "a.jpg")


@pytest.mark.parametrize("fragment", ["", "a#b"])
def test_refuses_ambiguous_fragments(fragment: str) -> None:
    with pytest.raises(ValueError, match="fragment"):
        part_uri("x.tar", fragment)
