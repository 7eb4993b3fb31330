"""The packed folder: every token of every document once, in the order of the coins, as the seam's format says."""

from pathlib import Path

import datasets
import pyarrow as pa
import pytest

from pipeline import pack as packing
from pipeline.digest import coin
from pipeline.pack import PackConfig
from pipeline.steps.base import Corpus
from pipeline.steps.encode import EncodeWork
from pipeline.steps.pack import PackWork, folder_of
from pipeline.steps.tokenizer import TokenizerWork, tokenizer_of
from pipeline.store.files import read_table
from pipeline.store.layers import read_shard
from pipeline.store.step import Step, faults, manifest_digest
from pipeline.tokenizer import TokenizerConfig
from tests.pipeline.steps.building import columns_over, corpus_of, documents, kept_of, make, sealed, step

COUNTS = {"en": 60, "fr": 20, "zh-hans": 1, "python": 9}
CONFIG = PackConfig(seq_len=32, holdout=0.1, holdout_tokens=100, seed=3)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Step:
    folder = tmp_path_factory.mktemp("tokenizer")
    corpus = corpus_of(folder, documents(COUNTS))
    work = TokenizerWork(step(folder, "tokenizer"), TokenizerConfig(vocab_size=320), corpus, kept_of(corpus))
    make(work)
    return work.step


def packed(folder: Path, tokenizer: Step, config=CONFIG, corpus: Corpus | None = None, per_shard: int = 10, **more):
    """The work of packing a corpus that has been encoded."""
    rows = documents(more.get("counts", COUNTS))
    corpus = corpus or corpus_of(folder, rows[::-1] if more.get("backwards") else rows, per_shard)
    encoded = EncodeWork(step(folder, "encode"), tokenizer, corpus)
    if not encoded.step.sealed:
        make(encoded)
    return PackWork(step(folder, "packed"), config, tokenizer, corpus.then(encoded.step))


@pytest.fixture(scope="module")
def made(tmp_path_factory, tokenizer) -> PackWork:
    """The corpus packed, for tests that only look at it."""
    work = packed(tmp_path_factory.mktemp("packed"), tokenizer)
    make(work)
    return work


def lists(work: PackWork) -> dict[str, list[int]]:
    """{id: tokens} as the step before has them."""
    rows = [row for shard in work.corpus.shards for row in read_shard(shard, work.corpus.steps).to_pylist()]
    return {row["id"]: row["tokens"] for row in rows}


def pieces(work: PackWork, split: str, lang: str) -> list[tuple[str, int, list[int]]]:
    """(document, offset, tokens) of each piece that stands in the rows of a language, in their order."""
    out = []
    for name in work.step.manifest()["splits"][split].get(lang, {"files": []})["files"]:
        for row in read_table(work.step.folder / name).to_pylist():
            bounds = [*row["starts"], len(row["tokens"])]
            for i, document in enumerate(row["doc_ids"]):
                out.append((document, row["doc_offsets"][i], row["tokens"][bounds[i] : bounds[i + 1]]))
    return out


def order(work: PackWork, split: str, lang: str) -> list[str]:
    return list(dict.fromkeys(document for document, _, _ in pieces(work, split, lang)))


def test_every_token_of_every_document_is_in_the_rows_and_traceable(made):
    there: dict[str, list[int]] = {}
    for split in ("train", "valid"):
        for lang in COUNTS:
            for document, offset, tokens in pieces(made, split, lang):
                known = there.setdefault(document, [])
                assert offset in (len(known), len(known) - 1)  # rows share one token
                known[offset:] = tokens
    assert there == lists(made)
    assert len(there) == sum(COUNTS.values())


def test_a_piece_decodes_to_its_part_of_the_text(made, tokenizer):
    decode, tokens_of = tokenizer_of(tokenizer).decode, lists(made)
    for document, offset, tokens in pieces(made, "train", "en"):
        before = decode(tokens_of[document][:offset], skip_special_tokens=False)
        whole = decode(tokens_of[document], skip_special_tokens=False)
        assert whole.startswith(before + decode(tokens, skip_special_tokens=False))


def test_documents_stand_in_the_order_of_their_coins(made):
    for lang in ("en", "fr"):
        ids = order(made, "train", lang)
        assert len(ids) > 5
        assert ids == sorted(ids, key=lambda name: coin(CONFIG.seed, name))


def test_parts_after_one_another_are_the_same_order(tmp_path, tokenizer, made, monkeypatch):
    monkeypatch.setattr(packing, "PARTITION_TOKENS", 500)
    parts = packed(tmp_path, tokenizer)
    manifest = make(parts)
    assert len(manifest["splits"]["train"]["en"]["files"]) > 2
    for split in ("train", "valid"):
        assert order(parts, split, "en") == order(made, split, "en")
    assert manifest["splits"]["train"]["en"]["tokens"] == made.step.manifest()["splits"]["train"]["en"]["tokens"]


def test_shards_and_their_order_move_no_byte(tmp_path, tokenizer, made):
    other = packed(tmp_path, tokenizer, per_shard=7, backwards=True)
    assert make(other)["digest"] == made.step.manifest()["digest"]
    assert sealed(other.step) == sealed(made.step)


def test_a_killed_packing_ends_as_an_unbroken_one(tmp_path, tokenizer, made):
    killed = packed(tmp_path, tokenizer)
    for tasks in (1, 9, 3, 8, 2):  # in the survey, after settling, while scattering and packing, before the end
        make(killed, stop_after=tasks)
    make(killed)
    assert sealed(killed.step) == sealed(made.step)


def test_the_holdout_takes_the_smallest_coins_until_its_quota_is_met(made):
    splits = made.step.manifest()["splits"]
    tokens, held = lists(made), order(made, "valid", "en")
    # 0.1 of the tokens: one document less would be too few
    quota = 0.1 * (splits["train"]["en"]["tokens"] + splits["valid"]["en"]["tokens"])
    by_coin = sorted(held, key=lambda name: coin(CONFIG.seed, f"holdout {name}"))
    last = coin(CONFIG.seed, f"holdout {by_coin[-1]}")
    assert sum(len(tokens[name]) for name in held) >= quota > sum(len(tokens[name]) for name in by_coin[:-1])
    assert all(coin(CONFIG.seed, f"holdout {name}") > last for name in order(made, "train", "en"))


def test_the_only_document_of_a_language_is_trained_on(made):
    splits = made.step.manifest()["splits"]
    assert splits["train"]["zh-hans"]["documents"] == 1
    assert "zh-hans" not in splits["valid"]


def test_a_cluster_is_held_out_whole_or_not_at_all(tmp_path, tokenizer):
    corpus = corpus_of(tmp_path, documents(COUNTS))
    cluster_of = {row["id"]: f"cluster {i // 4}" for i, row in enumerate(documents(COUNTS))}
    work = packed(tmp_path, tokenizer, corpus=columns_over(tmp_path, corpus, "cluster", lambda r: cluster_of[r["id"]]))
    make(work)
    trained = {cluster_of[name] for name in order(work, "train", "en")}
    held = {cluster_of[name] for name in order(work, "valid", "en")}
    assert trained and held and not trained & held


def test_another_length_reads_the_same_lists_and_another_seed_gives_another_order(tmp_path, tokenizer, made):
    for name, config in (("longer", PackConfig(seq_len=64)), ("seed", PackConfig(seq_len=32, seed=1))):
        other = PackWork(step(tmp_path, name), config, tokenizer, made.corpus)
        assert make(other)["seq_len"] == config.seq_len
    assert order(other, "train", "en") != order(made, "train", "en")


def test_the_manifest_is_the_seam_s(tmp_path, tokenizer):
    corpus = columns_over(tmp_path, corpus_of(tmp_path, documents(COUNTS)), "words", lambda row: 5)
    work = packed(tmp_path, tokenizer, corpus=corpus)
    manifest = make(work)
    assert (manifest["format"], manifest["format_version"]) == ("seedbed-packed", 1)
    assert manifest["address"] == work.step.address
    assert (manifest["seq_len"], manifest["vocab_size"]) == (32, 320)
    assert manifest["special_ids"] == {"unk": 0, "bos": 1, "eos": 2, "pad": 3}
    assert manifest["digest"] == manifest_digest(manifest)
    assert list(faults(work.step)) == []
    standing = set(sealed(work.step)) - {"manifest.json"}
    assert standing == set(manifest["files"])
    en = manifest["splits"]["train"]["en"]
    assert sorted(en) == ["bytes", "cut", "documents", "files", "padding", "rows", "tokens", "words"]
    assert en["words"] > en["documents"]  # as `encode` counted them
    assert en["rows"] * 32 + 1 == en["tokens"] + en["padding"]
    assert en["rows"] == manifest["files"]["train/en/00000.arrow"]["rows"]


def test_counts_add_up_to_the_corpus(made):
    splits = made.step.manifest()["splits"]
    rows = {row["id"]: row for s in made.corpus.shards for row in read_shard(s, made.corpus.steps).to_pylist()}
    for lang, count in COUNTS.items():
        both = [split[lang] for split in splits.values() if lang in split]
        mine = [row for row in rows.values() if row["lang"] == lang]
        assert sum(numbers["documents"] for numbers in both) == count
        assert sum(numbers["tokens"] for numbers in both) == sum(len(row["tokens"]) for row in mine)
        assert sum(numbers["bytes"] for numbers in both) == sum(len(row["text"].encode()) for row in mine)
        assert all(numbers["words"] is None for numbers in both)  # nobody counted them


def test_datasets_opens_a_shard_and_finds_the_rows(made):
    path = made.step.folder / "train/en/00000.arrow"
    opened, table = datasets.Dataset.from_file(str(path)), read_table(path)
    assert len(opened) == table.num_rows > 10
    assert opened[3] == table.slice(3, 1).to_pylist()[0]
    assert table.schema.field("tokens").type == pa.list_(pa.int32(), 33)


def test_no_documents_make_a_folder_that_says_so(tmp_path, tokenizer):
    manifest = make(packed(tmp_path, tokenizer, corpus=corpus_of(tmp_path, [])))
    assert manifest["splits"] == {"train": {}, "valid": {}}
    assert sorted(manifest["files"]) == ["tokenizer.json", "tokenizer_config.json"]


@pytest.mark.parametrize(
    ("lang", "folder"),
    [
        ("zh-hans", "zh-hans"),
        ("c++", "c++"),
        ("c#", "c#"),
        ("../x", "%2E%2E%2Fx"),
        (".tmp-x", "%2Etmp-x"),
        ("..", "%2E%2E"),
        ("a/b", "a%2Fb"),
        ("", "%"),
    ],
)
def test_no_language_s_name_leads_out_of_the_folder(lang, folder):
    assert folder_of(lang) == folder
