from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.decompress import Damage
from pipeline.sources.lines import excerpt, lines

blocks = st.lists(st.text("ab\n", max_size=12).map(str.encode), max_size=8)


@given(blocks)
def test_lines_and_their_offsets_do_not_depend_on_how_the_bytes_came(parts):
    whole = b"".join(parts)
    found = list(lines(parts, limit=1000))
    assert found == list(lines([whole], limit=1000))
    assert [line for _, line in found] == whole.removesuffix(b"\n").split(b"\n") if whole else not found
    assert all(whole[offset : offset + len(line)] == line for offset, line in found)


@given(blocks, st.integers(0, 5))
def test_a_line_over_the_limit_is_measured_and_the_others_stay(parts, limit):
    expected = [(at, line if len(line) <= limit else len(line)) for at, line in lines(parts, limit=1000)]
    assert list(lines(parts, limit)) == expected


def test_damage_comes_after_the_complete_lines_with_the_offset_of_the_cut_one():
    def broken():
        yield b"one\ntwo\nth"
        raise Damage("truncated", "")

    found, at = [], None
    try:
        for _, line in lines(broken(), 100):
            found.append(line)
    except Damage as damage:
        at = damage.offset
    assert (found, at) == ([b"one", b"two"], 8)  # "one\n" and "two\n" are 4 bytes each


def test_an_excerpt_is_short_and_printable():
    assert excerpt(b"a\x00\xff\n" * 100).startswith("a\\x00\\xff\\n")
    assert len(excerpt("ß" * 1000)) == 60
