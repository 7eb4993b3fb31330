"""Documents become exactly the ids that `tokenizers` gives them, whatever they spell and however they are batched."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers

from pipeline import encode
from pipeline.encode import Encoder
from pipeline.errors import InputError
from pipeline.tokenizer import byte_chars, load, train
from tests.pipeline.test_tokenizer import TEXTS

EOS = 2
PARTS = st.sampled_from(
    [
        *(*" .,(|)\n\0", "<unk>", "<s>", "</s>", "<pad>", "ein", "born free", "e", "é", "e" + "\u0301" * 40),
        *("自由", "人人生而自由", "नमस्ते", "سلام،", "ខ្មែរ", "👩‍👩‍👧", "\ufffd", "\u200b", "\u3000", "\x85"),
        *("=" * 300, "ab" * 20),
    ]
)
ANY = st.text(max_size=40) | st.lists(PARTS, max_size=30).map("".join)


def tokenizer_from(folder, pre_tokenizer=None, **model) -> Tokenizer:
    made = train(TEXTS, 400)
    if pre_tokenizer is not None:
        made.pre_tokenizer = pre_tokenizer
    content = json.loads(made.to_str())
    content["model"].update(model)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    return load(path)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Tokenizer:
    return tokenizer_from(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def encoder(tokenizer) -> Encoder:
    made = Encoder(tokenizer)
    assert made.by_kernel
    made.warm()
    return made


def oracle(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [[*tokenizer.encode(text, add_special_tokens=False).ids, EOS] for text in texts]


def encoded(encoder: Encoder, texts: list[str]) -> list[list[int]]:
    return encoder.encode(pa.array(texts, pa.large_string())).to_pylist()


@settings(deadline=None)
@given(texts=st.lists(ANY, max_size=6))
def test_any_texts_get_the_ids_of_the_library_and_an_end(tokenizer, encoder, texts):
    assert encoded(encoder, texts) == oracle(tokenizer, texts)


@settings(deadline=None)
@given(texts=st.lists(ANY, max_size=6))
def test_any_text_comes_back_from_its_ids(tokenizer, encoder, texts):
    back = [tokenizer.decode(ids[:-1], skip_special_tokens=False) for ids in encoded(encoder, texts)]
    assert back == texts


@settings(deadline=None)
@given(texts=st.lists(ANY, max_size=6))
def test_no_document_ends_before_its_end(encoder, texts):
    for ids in encoded(encoder, [*texts, *(text + "</s>" + text for text in texts)]):
        assert ids.index(EOS) == len(ids) - 1


def test_layouts_of_arrow_change_no_id(tokenizer, encoder):
    whole = pa.array(["left out", *TEXTS, "left out"], pa.string())
    cut = whole.slice(1, len(TEXTS))
    assert encoder.encode(cut).to_pylist() == oracle(tokenizer, TEXTS)
    assert encoder.encode(pa.chunked_array([cut.slice(0, 5), cut.slice(5)])).to_pylist() == oracle(tokenizer, TEXTS)
    assert encoder.encode(pa.chunked_array([], pa.large_string())).to_pylist() == []


@pytest.mark.parametrize(
    "other",
    [
        {"pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=False)},  # GPT-2's own
        {"ignore_merges": True},
    ],
    ids=["pre_tokenizer", "ignore_merges"],
)
def test_a_tokenizer_that_the_kernels_do_not_know_is_left_to_the_library(tmp_path, other):
    tokenizer = tokenizer_from(tmp_path, **other)
    encoder = Encoder(tokenizer)
    assert not encoder.by_kernel
    assert encoded(encoder, [*TEXTS, "", "a</s>"]) == oracle(tokenizer, [*TEXTS, "", "a</s>"])


def test_a_text_is_not_searched_for_tokens_that_are_not_special_by_the_kernels(tmp_path):
    tokenizer = train(TEXTS, 400)
    tokenizer.add_tokens(["free and"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    made = load(tmp_path / "tokenizer.json")
    assert 400 in oracle(made, ["born free and equal"])[0]
    assert encoded(Encoder(made), ["born free and equal"]) == oracle(made, ["born free and equal"])


def test_merges_in_the_old_spelling_are_read(tokenizer, encoder, tmp_path):
    content = json.loads(tokenizer.to_str())
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    assert encoded(Encoder(load(tmp_path / "tokenizer.json")), TEXTS) == encoded(encoder, TEXTS)


def test_a_token_id_of_more_than_31_bits_is_refused():
    content = json.loads(train(TEXTS, 400).to_str())
    vocab = content["model"]["vocab"]
    vocab[max(vocab, key=vocab.get)] = 2**31
    with pytest.raises(InputError, match="2,147,483,648"):
        Encoder(Tokenizer.from_str(json.dumps(content)))


@pytest.mark.parametrize(
    ("limit", "said", "fits"), [(3, "4 bytes in one text", "\0\1"), (5, "6 tokens in one shard", "\0\1\2\3")]
)
def test_what_32_bits_cannot_count_is_refused(tokenizer, monkeypatch, limit, said, fits):
    encoder = Encoder(tokenizer)  # made before the limit, which holds for ids too
    monkeypatch.setattr(encode, "MOST", limit)
    with pytest.raises(InputError, match=said):
        encoder.encode(pa.array(["\0\1\2\3", ""]))
    assert len(encoder.encode(pa.array([fits])).values) == limit


def test_two_tokens_of_one_id_are_left_to_the_library(tokenizer):
    content = json.loads(tokenizer.to_str())
    vocab = content["model"]["vocab"]
    vocab[max(vocab, key=vocab.get)] = vocab["a"]
    assert not Encoder(Tokenizer.from_str(json.dumps(content))).by_kernel


def test_bytes_have_the_characters_of_the_library():
    assert sorted(byte_chars()) == sorted(pre_tokenizers.ByteLevel.alphabet())
    assert [byte_chars()[b] for b in b"a \n\xc3"] == ["a", "Ġ", "Ċ", "Ã"]


def test_a_large_text_gets_the_ids_of_its_parts(encoder):
    # the cut is before a blank that follows a letter: a place that every token respects
    text = " ".join(TEXTS)
    many = "".join(f" {text}" for _ in range(2000))
    (whole,) = encoded(encoder, [many])
    (once,) = encoded(encoder, [f" {text}"])
    assert whole == once[:-1] * 2000 + [EOS]
