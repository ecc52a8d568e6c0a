"""Bytes come back as they were sealed, or not at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import ShapeMismatch
from operators.search.sealed_bytes import seal_bytes, unseal_bytes

HEADER = {"kind": "graph", "settings": {"num_links": 3}, "recall": 0.25}


@given(content=st.binary(max_size=100))
def test_round_trip(content: bytes) -> None:
    header, found = unseal_bytes(seal_bytes(HEADER, np.frombuffer(content, np.uint8)))
    assert header == HEADER
    assert found.tobytes() == content


@given(content=st.binary(max_size=50), data=st.data())
def test_any_changed_or_missing_byte_is_noticed(content: bytes, data: st.DataObject) -> None:
    sealed = seal_bytes(HEADER, np.frombuffer(content, np.uint8))
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed.copy()
    changed[place] ^= data.draw(st.integers(1, 255))
    for bad in (changed, sealed[:place], np.append(sealed, np.uint8(0))):
        with pytest.raises(ShapeMismatch, match="sealed bytes"):
            unseal_bytes(bad)


@pytest.mark.parametrize("bad", [np.zeros(100, np.int8), np.zeros((10, 10), np.uint8)])
def test_other_arrays_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match=r"expected uint8 \(num_bytes,\)"):
        unseal_bytes(bad)
