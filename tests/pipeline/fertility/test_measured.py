"""The curve of sizes and parity: worked by hand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, InputError
from pipeline.fertility.measured import recommended, savings, sizes_below
from pipeline.fertility.parallel import parity, read_parallel


def test_sizes_are_powers_of_two_and_the_vocabularys_own():
    assert sizes_below(250_680) == [8192, 16384, 32768, 65536, 131072, 250_680]
    assert sizes_below(8192) == [512, 1024, 2048, 4096, 8192]
    assert sizes_below(300) == [300]


@given(size=st.integers(260, 10**6))
def test_a_curve_ends_with_the_vocabulary_itself_and_rises(size):
    sizes = sizes_below(size)
    assert sizes[-1] == size and sizes == sorted(set(sizes)) and 1 <= len(sizes) <= 6


def test_each_language_counts_alike_in_what_a_doubling_saves():
    # en 100 -> 90 saves 0.1, sw 50 -> 40 saves 0.2; the mean is 0.15, not 20 / 150
    assert savings({512: {"en": 100, "sw": 50}, 1024: {"en": 90, "sw": 40}})[1024] == pytest.approx(0.15)


def test_a_saving_is_told_for_a_doubling():
    # four times as large, 81 of 100 left: two doublings that each leave 0.9
    assert savings({512: {"en": 100}, 2048: {"en": 81}})[2048] == pytest.approx(0.1)


def test_a_language_without_tokens_does_not_count():
    assert savings({512: {"en": 100, "sw": 0}, 1024: {"en": 50, "sw": 0}}) == {1024: 0.5}


@pytest.mark.parametrize(
    ("saved", "size"),
    [
        ({1024: 0.1, 2048: 0.05}, 2048),
        ({1024: 0.1, 2048: 0.02}, 2048),  # at the bound: worth it
        ({1024: 0.1, 2048: 0.0199}, 1024),
        ({1024: 0.01, 2048: 0.03}, 2048),  # beyond 1024 one doubling is still worth it
        ({1024: 0.0, 2048: 0.0}, 512),
    ],
)
def test_the_size_recommended_is_the_least_beyond_which_no_doubling_is_worth_it(saved, size):
    assert recommended(saved, [512, 1024, 2048], worth=0.02) == size


def test_parity_is_over_the_parts_that_both_have():
    tokens = {"en": {"1": 10, "2": 20}, "sw": {"2": 25, "3": 99}, "fr": {"9": 1}}
    assert parity(tokens) == {"en": 1.0, "sw": 1.25}  # 25 / 20; French shares no part with English


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_parts_are_told_by_article_and_versions_stand_beside_each_other(tmp_path):
    lines(tmp_path / "en.jsonl", [{"text": "a", "lang": "en", "meta": {"article": "1"}}])
    lines(tmp_path / "swa.jsonl", [{"text": t, "meta": {"article": "1"}} for t in ("b", "c")])
    assert read_parallel(tmp_path) == {"en": {"1": ["a"]}, "sw": {"1": ["b", "c"]}}


def test_lines_of_text_files_are_parts_by_their_number(tmp_path):
    (tmp_path / "en.txt").write_text("one\n\nthree\n")
    (tmp_path / "fr.txt").write_text("un\ndeux\n")
    assert read_parallel(tmp_path) == {"en": {"#0": ["one"], "#2": ["three"]}, "fr": {"#0": ["un"], "#1": ["deux"]}}


def test_a_folder_without_english_is_refused_with_what_it_holds(tmp_path):
    (tmp_path / "fr.txt").write_text("un\n")
    with pytest.raises(ConfigError, match="holds fr, and parity"):
        read_parallel(tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        read_parallel(tmp_path / "nowhere")


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "en.txt").write_bytes(b"\xff\n")
    with pytest.raises(InputError, match=r"en\.txt cannot be read"):
        read_parallel(tmp_path)
    (tmp_path / "en.txt").unlink()
    (tmp_path / "en.jsonl").write_text("{\n")
    with pytest.raises(InputError, match="record 0: invalid_json"):
        read_parallel(tmp_path)
