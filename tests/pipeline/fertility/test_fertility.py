"""A tokenizer is measured on a run: numbers are those of a count by hand, and hostile tokens stay text."""

import json
import sys
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipeline.cli import main
from pipeline.config import load
from pipeline.errors import InputError
from pipeline.fertility import Question, examine
from pipeline.fertility.gather import Texts, _by_part, counter, sample
from pipeline.fertility.page import render_page
from pipeline.plan import plan
from pipeline.progress import Silent
from pipeline.report import gather
from pipeline.report.page import render_page as render_report
from pipeline.report.tokenizer import Counts, described, encoded_corpus
from pipeline.run import run
from pipeline.sampling import chosen
from pipeline.store.files import read_table, write_table
from pipeline.tokenizer import encode_one
from pipeline.vocabulary import Vocabulary
from tests.pipeline.making import write_jsonl
from tests.pipeline.public_trainer import publicly

HOSTILE = "<script>alert\x1b[31m"
EN = ["All human beings are born free and equal", "free and equal beings", HOSTILE * 40]
SW = ["Watu wote wamezaliwa huru", "wote huru éé"]
SIZE = 300


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of five documents, and its tokenizer: one that spells hostile tokens."""
    folder = tmp_path_factory.mktemp("fertility")
    tokenizer = publicly([HOSTILE * 9, *EN, *SW], SIZE)
    tokenizer.encode_special_tokens = True
    (folder / "t.json").write_text(tokenizer.to_str())
    write_jsonl(folder / "en.jsonl", EN, lang="en")
    write_jsonl(folder / "sw.jsonl", SW, lang="sw")
    (folder / "even").mkdir()
    (folder / "even" / "en.txt").write_text("free and equal\nbeings\n")
    (folder / "even" / "sw.txt").write_text("huru\n")
    config = {
        "run": {"workdir": str(folder / "run"), "workers": 1},
        "sources": [{"jsonl": {"name": "s", "path": str(folder / "*.jsonl")}}],
        "stages": [{"measure": {"names": ["words"]}}],
        "tokenizer": {"path": str(folder / "t.json")},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    run(load(folder / "config.yaml"), Silent())
    return folder, tokenizer


@pytest.fixture(scope="module")
def found(made):
    folder, _ = made
    asked = Question(parallel=folder / "even", against=(folder / "t.json",), worth=0.05)
    return examine(plan(load(folder / "config.yaml")), asked)


def row(found, lang):
    return next(row for row in found.languages if row["lang"] == lang)


def test_use_of_the_vocabulary_is_that_of_a_count_by_hand(made, found):
    _, tokenizer = made
    ids = Counter(id_ for text in SW for id_ in encode_one(tokenizer, text))
    told, real = row(found, "sw"), SIZE - 4
    assert told["used"] == len(ids) and told["share"] == len(ids) / real
    single = [id_ for id_ in ids if len(tokenizer.id_to_token(id_)) == 1 and tokenizer.id_to_token(id_) in "Ã©"]
    assert told["fallback"] == sum(ids[id_] for id_ in single) / ids.total()
    everything = Counter(id_ for text in EN + SW for id_ in encode_one(tokenizer, text))
    assert found.usage["counted"] == everything.total() and found.usage["used"] == len(everything)
    assert found.usage["never"] == real - len(everything)
    assert found.usage["once"] == sum(n == 1 for n in everything.values())


def test_fertility_is_tokens_over_words_and_bytes_over_tokens(made, found):
    _, tokenizer = made
    tokens = sum(len(encode_one(tokenizer, text)) + 1 for text in SW)  # and an end for each document
    assert row(found, "sw")["tokens"] == tokens
    assert row(found, "sw")["tokens_per_word"] == tokens / 7  # Watu wote wamezaliwa huru, wote huru éé
    assert row(found, "sw")["bytes_per_token"] == sum(len(text.encode()) for text in SW) / tokens


def test_parity_is_tokens_of_the_same_lines_over_those_of_english(made, found):
    _, tokenizer = made
    expected = len(encode_one(tokenizer, "huru")) / len(encode_one(tokenizer, "free and equal"))
    assert row(found, "sw")["parallel"]["parity"] == expected and row(found, "en")["parallel"]["parity"] == 1.0
    assert row(found, "sw")["against"] == [
        {"tokens": row(found, "sw")["sample"]["tokens"], "ratio": 1.0, "parity": expected}
    ]


def test_the_whole_of_a_small_corpus_is_the_sample(made, found):
    _, tokenizer = made
    tokens = sum(len(encode_one(tokenizer, text)) for text in SW)
    assert row(found, "sw")["sample"] == {
        "bytes": sum(len(t.encode()) for t in SW),
        "words": 7,
        "tokens": tokens,
        "unseen": False,  # nobody knows what a ready tokenizer learned from
    }
    assert found.sizes[-1] == {"size": SIZE, "saved": None, "tokens": found.sizes[-1]["tokens"]}


def test_a_sample_keeps_to_its_bytes_and_to_one_document_at_least(made):
    folder, _ = made
    found = examine(plan(load(folder / "config.yaml")), Question(sample=30))
    assert 0 < row(found, "sw")["sample"]["bytes"] <= 30 and 0 < row(found, "en")["sample"]["bytes"] <= 30


def test_what_the_tokenizer_learned_from_stands_in_only_where_there_is_nothing_else(made):
    folder, _ = made
    steps = [p.step for p in plan(load(folder / "config.yaml")) if p.step.sealed]
    manifests = [step.manifest() for step in steps]
    corpus = encoded_corpus(steps, manifests)
    learned = {"en": 0.5, "sw": 1.0}
    texts = sample(corpus, manifests, 10**6, learned, seed=0)
    ids = [f"s/en.jsonl#{row}" for row in range(3)]
    unseen = [text for text, seen in zip(EN, chosen(ids, ["en"] * 3, learned, 0), strict=True) if not seen]
    assert 0 < len(unseen) < 3  # else nothing is shown
    of_english = [text for lang, text in zip(texts.langs, texts.texts.to_pylist(), strict=True) if lang == "en"]
    assert sorted(of_english) == sorted(unseen) and texts.unseen == {"en"}
    assert list(texts.langs).count("sw") == 2  # all of it was learned from: better than nothing


def test_of_several_versions_the_one_with_the_fewest_tokens_counts():
    texts = Texts(np.array(["fr", "fr", "fr", "en"], object), pa.array(["a", "b", "c", "d"]), ["1"] * 4)
    assert _by_part(texts, np.array([9, 4, 6, 2])) == {"fr": {"1": 4}, "en": {"1": 2}}


def test_two_examinations_are_equal(made, found):
    folder, _ = made
    asked = Question(parallel=folder / "even", against=(folder / "t.json",), worth=0.05)
    assert examine(plan(load(folder / "config.yaml")), asked).to_json() == found.to_json()


def test_hostile_tokens_are_text_on_both_pages(made, found):
    folder, _ = made
    report = gather([p.step for p in plan(load(folder / "config.yaml")) if p.step.sealed])
    for page in (render_page(found), render_report(report)):
        assert "&lt;script&gt;alert" in page and "<script>alert" not in page and "\x1b" not in page


def test_the_report_tells_what_the_vocabulary_is_used_for(made, found):
    folder, _ = made
    report = gather([p.step for p in plan(load(folder / "config.yaml")) if p.step.sealed])
    assert {k: v for k, v in report.tokenizer["usage"].items() if k != "languages"} == found.usage
    assert "What each language uses of the vocabulary" in render_report(report)


def test_a_token_that_the_vocabulary_does_not_have_is_an_error_with_a_deed(made, tmp_path):
    folder, _ = made
    planned = plan(load(folder / "config.yaml"))
    encode = next(p.step for p in planned if p.kind == "encode")
    path = next((encode.folder).glob("**/*.arrow"))
    before = path.read_bytes()
    table = read_table(path)
    bad = [[SIZE]] + [[2]] * (table.num_rows - 1)
    write_table(path, table.set_column(0, "tokens", pa.array(bad, pa.list_(pa.int32()))))
    try:
        with pytest.raises(InputError, match=f"token id {SIZE}, and the tokenizer has {SIZE} tokens"):
            examine(planned)
    finally:
        path.write_bytes(before)


def test_any_tokenizer_of_another_kind_can_be_counted_with(made):
    _, tokenizer = made
    texts = pa.array(["free and", "", HOSTILE], pa.large_string())
    plain = publicly(EN, 300)
    plain.pre_tokenizer = plain.pre_tokenizer[1]  # whole texts: no longer BLOOM's cut
    expected = [len(encode_one(plain, text)) for text in texts.to_pylist()]
    assert counter(plain)(texts).tolist() == expected
    assert counter(tokenizer)(texts).tolist() == [len(encode_one(tokenizer, text)) for text in texts.to_pylist()]


def test_a_language_of_nothing_but_empty_documents_has_no_shares(made):
    _, tokenizer = made
    told = described(Vocabulary.of(tokenizer), {"xx": Counts(np.zeros(0, np.int64), np.zeros(0, np.int64))})
    assert told["languages"]["xx"] == {
        "tokens": 0, "used": 0, "share": 0.0, "fallback": 0.0, "partial": 0.0, "longest": []
    }  # fmt: skip


def test_sums_of_languages_are_of_their_own_texts():
    texts = Texts(np.array(["en", "sw", "en"], object), pa.array(["a b", "é", "c"], pa.large_string()), [""] * 3)
    assert texts.sums() == {"en": {"bytes": 4, "words": 3}, "sw": {"bytes": 2, "words": 1}}


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_command_prints_tables_and_writes_a_page(made, monkeypatch, capsys):
    folder, _ = made
    code, out, err = call(monkeypatch, capsys, "tokenizer", folder / "config.yaml", "--parallel", folder / "even")
    assert code == 0 and "Swahili" in out and "parity" in out and "Recommended" in out and "\x1b" not in out
    assert "tokenizer.html" in err and (folder / "run" / "tokenizer.html").exists()


def test_a_name_with_brackets_is_a_name(made, monkeypatch, capsys, tmp_path):
    folder, _ = made
    other = tmp_path / "x[red]y.json"
    other.write_bytes(next((folder / "run").glob("*-tokenizer-*/tokenizer.json")).read_bytes())
    code, out, _ = call(monkeypatch, capsys, "tokenizer", folder / "config.yaml", "--against", other)
    assert code == 0 and "x[red]y" in out


def test_the_command_gives_json_for_programs(made, monkeypatch, capsys):
    folder, _ = made
    code, out, _ = call(monkeypatch, capsys, "tokenizer", folder / "config.yaml", "--json")
    told = json.loads(out)
    assert code == 0 and told["format"] == "seedbed-fertility" and told["parallel"] is None
    assert {row["lang"] for row in told["languages"]} == {"en", "sw"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--worth", "3"], "'3' is no share"),
        (["--sample", "many"], "'many' is no size"),
        (["--against", "nowhere.json"], "cannot be read"),
        (["--parallel", "nowhere"], "parity is told against English"),
    ],
)
def test_the_command_tells_what_was_asked_wrongly(made, monkeypatch, capsys, words, says):
    folder, _ = made
    code, out, err = call(monkeypatch, capsys, "tokenizer", folder / "config.yaml", *words)
    assert code and not out and says in err


def test_a_run_that_has_not_encoded_yet_says_what_to_do(made, monkeypatch, capsys, tmp_path):
    folder, _ = made
    code, _, err = call(monkeypatch, capsys, "tokenizer", folder / "config.yaml", "--workdir", tmp_path / "other")
    assert code == 2 or code == 1
    assert "not encoded yet" in err and "pipeline run" in err
