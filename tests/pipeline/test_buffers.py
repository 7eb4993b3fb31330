"""`buffers` gives back exactly the texts that went in, whatever Arrow layout carried them."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.buffers import buffers

TEXTS = st.lists(st.none() | st.text(max_size=12), max_size=12)
TYPES = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
]


def read(array: pa.Array | pa.ChunkedArray) -> list[str]:
    offsets, data = buffers(array)
    assert offsets.dtype == np.int64 and data.dtype == np.uint8
    assert len(offsets) == len(array) + 1
    return [data[a:b].tobytes().decode() for a, b in pairwise(offsets)]


@pytest.mark.parametrize("type_", TYPES, ids=str)
@given(texts=TEXTS, cut=st.integers(0, 12))
def test_every_text_comes_back_from_any_slice_of_any_type(type_, texts, cut):
    array = (
        pa.array(texts, pa.string()).cast(pa.string()).cast(type_)
        if "view" not in str(type_)
        else pa.array(texts, type_)
    )
    want = [t or "" for t in texts]
    assert read(array) == want
    assert read(array[cut:]) == want[cut:]
    assert read(array[:cut]) == want[:cut]


@given(st.lists(TEXTS, max_size=4))
def test_chunks_read_as_one(chunks):
    array = pa.chunked_array([pa.array(c, pa.string()) for c in chunks], pa.string())
    assert read(array) == [t or "" for c in chunks for t in c]


def test_a_null_with_bytes_under_it_is_empty():
    data = [pa.py_buffer(b"\x05"), pa.py_buffer(np.array([0, 2, 4, 6], np.int64)), pa.py_buffer(b"aaXXbb")]
    array = pa.Array.from_buffers(pa.large_string(), 3, data)
    assert array.to_pylist() == ["aa", None, "bb"]
    assert read(array) == ["aa", "", "bb"]


def test_a_large_string_slice_is_not_copied():
    array = pa.array(["one", "two", "three"], pa.large_string())[1:]
    offsets, data = buffers(array)
    assert data.ctypes.data == array.buffers()[2].address
    assert offsets.ctypes.data == array.buffers()[1].address + 8
    assert not data.flags.writeable and not offsets.flags.writeable


def test_numbers_are_no_text():
    with pytest.raises(TypeError, match="int64"):
        buffers(pa.array([1]))
