"""The tokenizer: a fair sample, the same merges on any machine, and text that comes back byte for byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tokenizers import Tokenizer, normalizers
from transformers import AutoTokenizer

from pipeline.digest import digest
from pipeline.errors import InputError
from pipeline.text.piece_counts import count_pieces
from pipeline.tokenizer import (
    TokenizerConfig,
    encode_one,
    load,
    smallest,
    special_ids,
    train,
    trained,
    transformers_config,
)
from tests.pipeline.public_trainer import publicly

TEXTS = [
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق، وقد وهبوا عقلا وضميرا",
    "def f(x):\n    return x  # </s> </s> </s>\n",
] * 3
SIZE = 400
PINNED = "61a849ff46c150cf"  # of the merges below


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    made = train(TEXTS, SIZE)
    made.encode_special_tokens = True
    return made


def merges(tokenizer: Tokenizer) -> list[list[str]]:
    return json.loads(tokenizer.to_str())["model"]["merges"]


# Training


def test_special_tokens_come_first_and_then_every_byte(tokenizer):
    assert special_ids(tokenizer) == {"unk": 0, "bos": 1, "eos": 2, "pad": 3}
    assert tokenizer.get_vocab_size() == SIZE
    assert len(merges(tokenizer)) == SIZE - 260
    assert {len(tokenizer.id_to_token(i)) for i in range(4, 260)} == {1}


def test_the_merges_are_those_they_always_were(tokenizer):
    assert digest(merges(tokenizer))[:16] == PINNED


@settings(deadline=None, max_examples=30)
@given(
    texts=st.lists(st.text(alphabet="ab <s>/.\n中é", max_size=30), max_size=8),
    vocab_size=st.integers(260, 290),
    min_frequency=st.integers(1, 3),
    max_token_length=st.none() | st.integers(2, 9),
)
def test_the_file_is_that_of_the_public_trainer_for_any_texts(texts, vocab_size, min_frequency, max_token_length):
    config = TokenizerConfig(vocab_size=vocab_size, min_frequency=min_frequency, max_token_length=max_token_length)
    made = trained(count_pieces(pa.array(texts, pa.large_string())), config)
    assert made.to_str() == publicly(texts, vocab_size, min_frequency, max_token_length=max_token_length).to_str()


def test_the_file_is_that_of_the_public_trainer_for_text_in_many_scripts():
    assert train(TEXTS, 2000).to_str() == publicly(TEXTS, 2000).to_str()


def test_a_limit_to_the_alphabet_leaves_all_bytes():
    made = trained(count_pieces(pa.array(TEXTS)), TokenizerConfig(vocab_size=SIZE, limit_alphabet=256))
    assert made.to_str() == train(TEXTS, SIZE).to_str() == publicly(TEXTS, SIZE, limit_alphabet=256).to_str()
    with pytest.raises(ValidationError):
        TokenizerConfig(limit_alphabet=255)  # a text with another byte could not be written


def test_the_smallest_tokenizer_is_one_that_learned_nothing():
    assert smallest().to_str() == publicly([], 260).to_str() == train([], 260).to_str()


def test_neither_order_nor_cuts_of_the_texts_matter(tokenizer):
    assert merges(train(reversed(TEXTS), SIZE)) == merges(tokenizer)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_threads_and_hash_seeds_change_no_merge(tokenizer, threads):
    code = (
        f"import sys, json; from pipeline.tokenizer import train; print(train(json.load(sys.stdin), {SIZE}).to_str())"
    )
    env = {**os.environ, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true", "PYTHONHASHSEED": threads}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        env=env,
        cwd=root,
        check=True,
    )
    assert done.stdout.strip() == tokenizer.to_str()


def test_a_small_corpus_gives_a_small_vocabulary():
    assert train(["ab ab ab cd"], 8192).get_vocab_size() == 260 + 2  # "ab" and " ab"; "cd" was seen once
    assert train([], 8192).get_vocab_size() == 260


def test_special_tokens_that_texts_spell_are_never_learned():
    made = train(["</s></s> a</s> <pad> x<pad>"] * 99, 600)
    made.encode_special_tokens = True
    for text in ("</s>", " </s>", "a</s>b", "<pad>", "<s><unk>"):
        ids = encode_one(made, text)
        assert min(ids) > 3, text
        assert made.decode(ids, skip_special_tokens=False) == text


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_comes_back_byte_for_byte(tokenizer, text):
    assert tokenizer.decode(encode_one(tokenizer, text), skip_special_tokens=False) == text


@pytest.mark.parametrize(
    "text", ["\0", "\u0301", "👩‍👩‍👧‍👦", " a  b \n", "a . b", "\ufffd\U0010ffff", "नमस्ते ", "\r\n\t</s>"]
)
def test_odd_texts_come_back_byte_for_byte(tokenizer, text):
    assert tokenizer.decode(encode_one(tokenizer, text), skip_special_tokens=False) == text


def test_transformers_loads_it_and_gives_the_same_ids(tokenizer, tmp_path):
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(transformers_config(tokenizer, 512)))
    loaded = AutoTokenizer.from_pretrained(str(tmp_path))
    names = [loaded.unk_token, loaded.bos_token, loaded.eos_token, loaded.pad_token]
    assert names == ["<unk>", "<s>", "</s>", "<pad>"]
    assert (loaded.eos_token_id, loaded.pad_token_id, loaded.model_max_length) == (2, 3, 512)
    for text in TEXTS[:5]:
        assert loaded(text)["input_ids"] == encode_one(tokenizer, text)  # no token is put before or after
        assert loaded.decode(loaded(text)["input_ids"]) == text
    assert loaded.decode(loaded("a . b , c").input_ids) == "a . b , c"
    assert loaded.clean_up_tokenization_spaces is False  # transformers 4 would take those blanks away


# A ready tokenizer


def save(tokenizer: Tokenizer, path: Path) -> Path:
    tokenizer.save(str(path))
    return path


def test_a_ready_tokenizer_is_taken_for_what_it_holds_not_for_where_it_lies(tokenizer, tmp_path):
    one, two = save(tokenizer, tmp_path / "a.json"), save(tokenizer, tmp_path / "b.json")
    assert TokenizerConfig(path=one).parameters() == TokenizerConfig(path=two).parameters()
    assert TokenizerConfig(path=one).parameters() != TokenizerConfig().parameters()


def broken(name: str, path: Path) -> Path:
    """A tokenizer.json with one fault."""
    made = train(TEXTS, SIZE)
    if name == "normalizer":
        made.normalizer = normalizers.NFC()
    content = json.loads(made.to_str())
    if name == "model":
        content["model"] = {"type": "WordLevel", "vocab": {"<unk>": 0, "</s>": 2}, "unk_token": "<unk>"}
    if name == "eos":
        content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] != "</s>"]
        content["model"]["vocab"] = {("<eos>" if k == "</s>" else k): v for k, v in content["model"]["vocab"].items()}
    if name == "bytes":
        del content["model"]["vocab"]["Ã"]  # the first byte of é, and of all letters about it
        content["model"]["merges"] = [pair for pair in content["model"]["merges"] if "Ã" not in "".join(pair)]
    if name == "prefix":
        content["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True
    if name == "spelled":
        vocab, pairs = content["model"]["vocab"], content["model"]["merges"]
        for pair in (["<", "/"], ["</", "s"], ["</s", ">"]):
            vocab.setdefault("".join(pair), len(vocab))
            pairs.append(pair)
    if name == "gap":
        last = max(content["model"]["vocab"], key=content["model"]["vocab"].get)
        content["model"]["vocab"][last] += 5
    path.write_text(json.dumps(content) if name != "json" else "{", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("json", "is no tokenizer"),
        ("model", "WordLevel, not byte-level BPE"),
        ("eos", "has no token </s>"),
        ("normalizer", "normalizer NFC"),
        ("bytes", "does not give text back"),
        ("prefix", "does not give text back"),
        ("spelled", "merges that spell </s>"),
        ("gap", f"{SIZE} tokens with ids up to {SIZE + 4}"),
    ],
)
def test_a_tokenizer_that_would_harm_texts_is_refused_with_the_reason(tmp_path, fault, said):
    path = broken(fault, tmp_path / "tokenizer.json")
    with pytest.raises(InputError, match=said) as caught:
        load(path)
    assert caught.value.hint and str(path) in caught.value.message
    with pytest.raises(ValidationError, match=said):
        TokenizerConfig(path=path)


def test_a_missing_tokenizer_is_told_with_its_path(tmp_path):
    with pytest.raises(ValidationError, match=r"nowhere\.json cannot be read"):
        TokenizerConfig(path=tmp_path / "nowhere.json")


def test_settings_that_a_ready_tokenizer_would_ignore_are_refused(tokenizer, tmp_path):
    path = save(tokenizer, tmp_path / "tokenizer.json")
    with pytest.raises(ValidationError, match="vocab_size would have no effect"):
        TokenizerConfig(path=path, vocab_size=500)


def test_a_vocabulary_holds_at_least_the_bytes():
    assert TokenizerConfig(vocab_size=260).vocab_size == 260
    with pytest.raises(ValidationError):
        TokenizerConfig(vocab_size=259)
