"""The packed folder: every token of every document once, in the order of the coins, as the seam's format says."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

from pipeline import pack as packing
from pipeline.config import Config, RunSettings
from pipeline.digest import coin
from pipeline.engine import perform
from pipeline.errors import InputError
from pipeline.pack import PackConfig
from pipeline.progress import talk
from pipeline.run import run
from pipeline.sources.jsonl import Jsonl
from pipeline.steps import pack as pack_step
from pipeline.steps import shuffle
from pipeline.steps.base import Corpus
from pipeline.steps.encode import EncodeWork
from pipeline.steps.pack import PackWork, folder_of
from pipeline.steps.tokenizer import TokenizerWork, tokenizer_of
from pipeline.store.files import read_table, write_table
from pipeline.store.layers import read_shard
from pipeline.store.step import Step, faults, manifest_digest
from pipeline.tokenizer import TokenizerConfig
from tests.pipeline.steps.building import columns_over, corpus_of, documents, kept_of, make, sealed, step

COUNTS = {"en": 60, "fr": 20, "zh-hans": 1, "python": 9}
CONFIG = PackConfig(seq_len=32, holdout=0.1, holdout_tokens=100, seed=3)
FIT = CONFIG.model_copy(update={"mode": "best_fit"})
MODES = pytest.mark.parametrize("config", [CONFIG, FIT], ids=["concat", "best_fit"])


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


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, tokenizer) -> PackWork:
    """The same by best fit."""
    work = packed(tmp_path_factory.mktemp("fitted"), tokenizer, FIT)
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


@MODES
def test_shards_and_their_order_move_no_byte(tmp_path, tokenizer, made, fitted, config):
    wanted = made if config is CONFIG else fitted
    other = packed(tmp_path, tokenizer, config, per_shard=7, backwards=True)
    assert make(other)["digest"] == wanted.step.manifest()["digest"]
    assert sealed(other.step) == sealed(wanted.step)


@MODES
def test_a_killed_packing_ends_as_an_unbroken_one(tmp_path, tokenizer, made, fitted, config):
    killed = packed(tmp_path, tokenizer, config)
    for tasks in (1, 9, 3, 8, 2):  # in the survey, after settling, while scattering and packing, before the end
        make(killed, stop_after=tasks)
    make(killed)
    assert sealed(killed.step) == sealed((made if config is CONFIG else fitted).step)


@pytest.mark.parametrize(("kind", "column"), [("survey", "length"), ("parts", "length")])
def test_a_file_on_the_way_that_was_changed_is_made_again(tmp_path, tokenizer, made, kind, column):
    killed = packed(tmp_path, tokenizer)
    make(killed, stop_after=8 if kind == "survey" else 19)  # surveyed; settled and scattered, too
    for path in killed.step.scratch(kind).iterdir():
        content, numbers = bytearray(path.read_bytes()), read_table(path).column(column).to_numpy().tobytes()
        content[content.index(numbers) + 1] ^= 0x7F
        path.write_bytes(content)
    again = PackWork(killed.step, CONFIG, tokenizer, killed.corpus)
    make(again)
    assert sealed(again.step) == sealed(made.step)


def test_lots_that_are_gathered_first_move_no_byte(tmp_path, tokenizer, made, monkeypatch):
    monkeypatch.setattr(shuffle, "IN_PLACE", 0)
    monkeypatch.setattr(shuffle, "LOT", 3)
    monkeypatch.setattr(shuffle, "RUN_TOKENS", 500)
    work = packed(tmp_path, tokenizer)
    make(work, stop_after=21)  # nine shards surveyed and scattered, settled, and two lots of three groups gathered
    runs = {path.name.partition("-")[0] for path in work.step.scratch("runs").iterdir()}
    assert len(runs) == 2 and len(list(work.step.scratch("runs").iterdir())) > 2  # lots of several runs
    again = PackWork(work.step, CONFIG, tokenizer, work.corpus)  # another process
    make(again)
    assert sealed(again.step) == sealed(made.step)


def test_a_bin_held_out_for_others_is_not_for_clusters_and_the_other_way_round():
    bits = {lang: {"train": 0, "valid": 0} for lang in ("en", "fr")}  # groups: train en, train fr, valid en, valid fr
    split = shuffle.Split(alone={"en": [3], "fr": []}, clusters=[5], bits=bits, shards=[], in_place=True)
    rows = [("en", 3, False), ("en", 3, True), ("fr", 3, False), ("en", 5, False), ("en", 5, True), ("fr", 5, True)]
    langs, bins, clustered = zip(*rows, strict=True)
    lang = pa.array(langs).dictionary_encode()
    coin = pa.array([0] * len(rows), pa.uint64())
    docs = pa.table({"lang": lang, "bin": pa.array(bins), "clustered": pa.array(clustered), "coin": coin})
    assert split.groups(docs).tolist() == [2, 0, 1, 0, 2, 3]


def test_lists_that_changed_since_they_were_counted_are_refused(tmp_path, tokenizer):
    work = packed(tmp_path, tokenizer)
    make(work, stop_after=19)  # surveyed, settled, scattered
    path = work.corpus.steps[-1].layer(work.corpus.shards[3].key)
    table = read_table(path)
    shorter = pa.array([ids[-1:] for ids in table.column("tokens").to_pylist()], pa.list_(pa.int32()))
    write_table(path, pa.table({**columns(table), "tokens": shorter}))
    with pytest.raises(InputError, match=r"00003\.arrow is not what it was.*verify|verify"):
        make(PackWork(work.step, CONFIG, tokenizer, work.corpus))


@pytest.mark.parametrize("long", [0, 1, 40])
def test_a_run_is_never_more_than_its_task_said(tmp_path, tokenizer, monkeypatch, long):
    """Documents of some tokens, and one of many: neither says how many of the others are held at once."""
    monkeypatch.setattr(shuffle, "IN_PLACE", 0)
    monkeypatch.setattr(shuffle, "LOT", 3)
    for module in (shuffle, pack_step):
        monkeypatch.setattr(module, "RUN_TOKENS", 300)
        monkeypatch.setattr(module, "RUN_DOCUMENTS", 12)
    rows = documents({"en": 90})
    for row in rows:
        row["text"] = "a"
    rows[long]["text"] = "All human beings. " * 500
    work = packed(tmp_path, tokenizer, corpus=corpus_of(tmp_path, rows, per_shard=9))
    held: list[tuple[int, int]] = []
    runs = shuffle._runs

    def watched(folder, group):
        for parts in runs(folder, group):
            held.append((sum(sum(part.column("length").to_pylist()) for part in parts), sum(map(len, parts))))
            yield parts

    monkeypatch.setattr(shuffle, "_runs", watched)
    for tasks in work.phases():
        for task in tasks:
            held.clear()
            perform(task)
            stated = task.memory
            assert all(pack_step.TOKEN * tokens + pack_step.PIECE * n <= stated for tokens, n in held)
            assert task.name != "gather" or held  # else nothing was told


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


@pytest.mark.parametrize("lots", [False, True])
def test_a_cluster_of_many_languages_is_on_one_side(tmp_path, tokenizer, monkeypatch, lots):
    """Of 60, 20, 1 and 9 documents in four languages two thirds are in clusters, of up to four languages."""
    if lots:
        monkeypatch.setattr(shuffle, "IN_PLACE", 0)
    by_lang = [[row["id"] for row in documents({lang: count})] for lang, count in COUNTS.items()]
    cluster_of = {name: f"cluster {i}" for ids in by_lang for i, name in enumerate(ids) if i % 3}
    corpus = corpus_of(tmp_path, documents(COUNTS))
    corpus = columns_over(tmp_path, corpus, "cluster", lambda row: cluster_of.get(row["id"]))
    sides = []
    for seed in range(4):
        config = PackConfig(seq_len=32, holdout=0.2, seed=seed)
        encoded = EncodeWork(step(tmp_path, "encode"), tokenizer, corpus)
        if not encoded.step.sealed:
            make(encoded)
        work = PackWork(step(tmp_path, f"packed{seed}"), config, tokenizer, corpus.then(encoded.step))
        make(work)
        found = {
            split: {cluster_of.get(name) for lang in COUNTS for name in order(work, split, lang)} - {None}
            for split in ("train", "valid")
        }
        assert not found["train"] & found["valid"]
        sides += [len(found["train"]) > 0, len(found["valid"]) > 0]
        assert len(order(work, "train", "zh-hans")) == 1  # the only document is trained on, and so is its cluster
    assert sum(sides) > 5  # else nothing was told


def test_without_a_holdout_every_document_is_trained_on(tmp_path, tokenizer):
    work = packed(tmp_path, tokenizer, PackConfig(seq_len=32, holdout=0))
    make(work)
    assert {lang: len(order(work, "train", lang)) for lang in COUNTS} == COUNTS
    assert work.step.manifest()["splits"]["valid"] == {} and not list(work.step.folder.glob("valid/*/*"))


def test_best_fit_cuts_no_document_that_fits_in_a_row(fitted):
    tokens = lists(fitted)
    there = [piece for split in ("train", "valid") for lang in COUNTS for piece in pieces(fitted, split, lang)]
    whole = {document for document, _, piece in there if piece == tokens[document]}
    assert whole == {document for document, ids in tokens.items() if len(ids) <= 33}
    assert 10 < len(whole) < len(tokens)  # else nothing was told
    for document, offset, piece in there:
        assert piece == tokens[document][offset : offset + len(piece)]
    assert {document for document, _, _ in there} == tokens.keys()


@MODES
def test_figures_add_up_to_the_room_of_all_rows(made, fitted, config):
    work = made if config is CONFIG else fitted
    manifest = work.step.manifest()
    about, cells = manifest["about"], [n for split in manifest["splits"].values() for n in split.values()]
    assert about["mode"] == config.mode
    assert {name: sum(n[name] for n in cells) for name in ("documents", "cut", "rows", "tokens", "padding")} == {
        name: about[name] for name in ("documents", "cut", "rows", "tokens", "padding")
    }
    assert about["tokens_per_row"] == round(about["tokens"] / about["rows"], 3)
    assert about["padding_share"] == round(about["padding"] / (about["rows"] * 33), 6)
    assert 0 < about["cut"] < about["documents"] and about["padding"] > 0


def test_another_mode_or_length_encodes_nothing_again(tmp_path):
    rows = documents(COUNTS)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows), "utf-8")

    def run_with(pack):
        jsonl = Jsonl(name="a", path=str(tmp_path / "a.jsonl"))
        run_settings = RunSettings(workdir=tmp_path / "run", workers=1)
        tokenizer = TokenizerConfig(vocab_size=300)
        return run(Config(run=run_settings, sources=(jsonl,), tokenizer=tokenizer, pack=pack), talk(quiet=True))

    first = run_with(PackConfig(seq_len=32))
    others = [run_with(pack) for pack in (PackConfig(seq_len=48), PackConfig(seq_len=32, mode="best_fit"))]
    assert len({result.steps[-1].address for result in (first, *others)}) == 3
    for result in others:
        assert [step.address for step in result.steps[:-1]] == [step.address for step in first.steps[:-1]]
        assert result.made == [result.steps[-1].step.folder.name]


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


# What is damaged


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lists: [[], *lists[1:]], "it has no tokens"),
        (lambda lists: [*lists[:-1], None], "it has no tokens"),
        (lambda lists: [lists[0], [320, 2], *lists[2:]], r"token id 320 is outside 0\.\.319"),
        (lambda lists: [lists[0], [-1, 2], *lists[2:]], r"token id -1 is outside"),
        (lambda lists: [*lists[:-1], lists[-1][:-1]], "it does not end in 2"),
    ],
)
def test_tokens_that_nobody_encoded_are_refused_with_the_document(tmp_path, tokenizer, change, told):
    with pytest.raises(InputError, match=told) as error:
        make(damaged(tmp_path, tokenizer, lambda table: pa.table({**columns(table), "tokens": change(tokens(table))})))
    assert "document 's/" in str(error.value) and "pipeline verify" in str(error.value)


def columns(table: pa.Table) -> dict:
    return {name: table.column(name) for name in table.column_names}


def tokens(table: pa.Table) -> list:
    return table.column("tokens").to_pylist()


def damaged(folder: Path, tokenizer: Step, change) -> PackWork:
    """Work on a corpus of which the tokens of the first shard were changed."""
    work = packed(folder, tokenizer)
    path = work.corpus.steps[-1].layer(work.corpus.shards[0].key)
    write_table(path, change(read_table(path)))
    return work


def test_the_document_that_is_damaged_is_the_one_that_is_named(tmp_path, tokenizer):
    def change(table: pa.Table) -> pa.Table:
        lists = tokens(table)
        return pa.table({**columns(table), "tokens": [*lists[:4], [5, 999, 2], *lists[5:]]})

    with pytest.raises(InputError, match=r"s/en\.txt#4'.*token id 999"):
        make(damaged(tmp_path, tokenizer, change))


def test_wider_ids_are_read_where_they_are_int32_and_refused_where_not(tmp_path, tokenizer, made):
    wide = pa.list_(pa.int64())

    def widened(table: pa.Table) -> pa.Table:
        return pa.table({**columns(table), "tokens": table.column("tokens").cast(wide)})

    work = damaged(tmp_path / "a", tokenizer, widened)
    make(work)
    assert sealed(work.step) == sealed(made.step)

    def beyond(table: pa.Table) -> pa.Table:
        return pa.table({**columns(table), "tokens": pa.array([[2**32 + 5, 2], *tokens(table)[1:]], wide)})

    with pytest.raises(InputError, match="not in range"):
        make(damaged(tmp_path / "b", tokenizer, beyond))


def test_a_layer_that_was_cut_short_is_refused(tmp_path, tokenizer):
    work = packed(tmp_path, tokenizer)
    path = work.corpus.steps[-1].layer(work.corpus.shards[0].key)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"cannot read .*verify|verify"):
        make(work)


def test_offsets_that_lead_out_of_the_file_are_refused(tmp_path, tokenizer):
    work = packed(tmp_path, tokenizer)
    path = work.corpus.steps[-1].layer(work.corpus.shards[0].key)
    lists = read_table(path).column("tokens").chunk(0)
    content, wanted = bytearray(path.read_bytes()), lists.offsets.to_numpy().tobytes()
    content[content.index(wanted) + 4 * 3 + 3] ^= 0x40  # the fourth offset is a billion more
    path.write_bytes(content)
    with pytest.raises(InputError, match="pipeline verify"):
        make(work)
    assert not list(work.step.folder.glob("train/**/*.arrow"))


# What is rare


@MODES
@pytest.mark.parametrize("seq_len", [1, 4000])
def test_languages_of_one_document_and_rows_of_any_width(tmp_path, tokenizer, config, seq_len):
    settings = config.model_copy(update={"seq_len": seq_len})
    work = packed(tmp_path, tokenizer, settings, counts={"en": 1, "fr": 3})
    manifest = make(work)
    there = {(d, o + k): t for s in ("train", "valid") for lang in ("en", "fr") for d, o, ts in pieces(work, s, lang)
             for k, t in enumerate(ts)}  # fmt: skip
    assert there == {(d, k): token for d, ids in lists(work).items() for k, token in enumerate(ids)}
    assert "en" not in manifest["splits"]["valid"]
    assert seq_len == 1 or manifest["splits"]["train"]["en"]["rows"] == 1


def test_a_document_larger_than_a_part_is_packed_whole(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(packing, "PARTITION_TOKENS", 50)
    rows = documents({"en": 8})
    rows[3]["text"] = "All human beings. " * 500
    for config in (CONFIG, FIT):
        folder = tmp_path / config.mode
        work = packed(folder, tokenizer, config, corpus=corpus_of(folder, rows))
        make(work)
        mine = [(o, ts) for d, o, ts in pieces(work, "train", "en") if d == "s/en.txt#3"]
        there = {offset + k: token for offset, ids in mine for k, token in enumerate(ids)}
        assert [there[k] for k in range(len(there))] == lists(work)["s/en.txt#3"]
        assert len(there) > 50


@pytest.mark.parametrize("lang", ["../../x", ".tmp-x", "a/b\0c", "%", "", "x" * 300, "l\u00e4nd/" * 60, "C:\\x"])
def test_a_language_of_any_name_has_a_folder_below_its_split(tmp_path, tokenizer, lang):
    rows = [{**row, "lang": lang} for row in documents({"en": 3})]
    work = packed(tmp_path, tokenizer, corpus=corpus_of(tmp_path, rows))
    manifest = make(work)
    (name,) = manifest["splits"]["train"][lang]["files"]
    assert (work.step.folder / name).resolve().parents[1] == (work.step.folder / "train").resolve()
    assert not Path(name).parts[1].startswith(".")


def test_long_names_that_begin_alike_have_folders_of_their_own():
    assert folder_of("x" * 300) != folder_of("x" * 301)
    assert max(len(folder_of(lang)) for lang in ("x" * 300, "\u00e4" * 300)) < 250
