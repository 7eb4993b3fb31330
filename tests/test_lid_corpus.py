"""Text for the language identifier: what is gathered keeps its licence, and development stays out of training."""

import importlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "data"), str(ROOT / "benchmarks")]
make, sources, formats, development, repositories, code, bench = map(
    importlib.import_module,
    ("make_lid_corpus", "lid_sources", "lid_formats", "lid_development", "lid_repositories", "lid_code", "identify"),
)

TEXTS = st.lists(st.text(max_size=80), max_size=12)


@pytest.mark.parametrize(
    ("raw", "lang"),
    [
        ("bam_Latn", "bm"), ("zho-TW", "zh-hant"), ("swh", "sw"), ("aka_fante", "ak"), ("zh-HK", None),
        ("prs", "fa-AF"), ("srp-Cyrl", "sr-Cyrl"), ("bho_Deva", "bho"), ("ace_Arab", "ace-Arab"),
        ("nonsense", None), ("hi-Latn", "hi-Latn"),
    ],
)  # fmt: skip
def test_a_source_s_code_is_read(raw, lang):
    assert sources.code(raw) == lang


@given(TEXTS, st.booleans())
def test_documents_hold_the_lines_and_keep_their_length(lines, joins):
    clean = make.clean(lines)
    documents = make.joined(clean, "a", joins)
    assert all(make.SHORTEST <= len(document) <= make.LONGEST for document in documents)
    words = [word for line in clean for word in line.split()]
    assert " ".join(words).startswith(" ".join(" ".join(documents).split()))  # what is left over is one short end


@given(TEXTS, st.integers(min_value=1, max_value=50))
def test_pieces_hold_all_words_and_are_short_enough(lines, longest):
    for line in make.clean(lines):
        cut = list(make.pieces(line, longest))
        assert "".join("".join(cut).split()) == "".join(line.split())
        assert all(len(piece) <= longest for piece in cut)


def test_sentences_are_one_whatever_their_marks_and_case():
    assert make.normal("Bí ó ti rí, báyìí!") == make.normal("BI O TI RI BAYII")
    assert make.normal("a b") != make.normal("a c")


def test_a_sentence_is_found_in_a_longer_line_and_across_lines():
    held = make.Held()
    sentence = "Umuntu wese avuka yishira akizana."
    held.prints |= set(make.prints(sentence))
    held.add("rn", [sentence])
    assert not held.prints.isdisjoint(make.prints(f"Ego. {sentence} Oya."))
    assert held.prints.isdisjoint(make.prints("Abantu bose bavuka bangana mu gaciro."))
    documents = ["a first one", "Ego: umuntu wese AVUKA yishira - akizana, kandi", "a last one"]
    assert held.clear("rn", documents) == ["a first one", "a last one"]
    assert held.clear("rw", documents) == documents


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.text("xyz ", min_size=1, max_size=9)), max_size=3),
    st.integers(0, 60),
)
def test_a_share_of_each_source_is_taken_and_no_more_than_the_limit(groups, limit):
    chosen = make.fair(groups, limit)
    assert sum(len(text) for texts in chosen.values() for text in texts) <= limit
    assert all(set(texts) <= set(groups[source]) for source, texts in chosen.items())
    if sum(len(text) for texts in groups.values() for text in texts) <= limit:
        assert {source: sorted(texts) for source, texts in chosen.items()} == {s: sorted(t) for s, t in groups.items()}


def test_no_source_is_both_trained_on_and_kept():
    assert not set(sources.SOURCES) & {"lafand", "lingua"}
    assert set(sources.KEPT) | set(sources.SHARED) <= set(sources.SOURCES)
    for source, langs in sources.KEPT.items():
        assert not set(langs) & set(sources.SHARED.get(source, ()))
    assert not set(code.DEVELOPMENT) & set(code.TRAINING_TOO)


def git(folder, *arguments):
    told = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(folder))
    subprocess.run(["git", *told, *arguments], check=True, capture_output=True)


@pytest.fixture
def clones(tmp_path):
    """A folder with one clone, of stories under three licences."""
    home = tmp_path / "global-asp+asp-source"
    (home / "sw").mkdir(parents=True)
    for name, licence in (("open", "* License: [CC-BY]"), ("closed", "* License: [CC-BY-NC]"), ("untold", "")):
        (home / "sw" / f"{name}.md").write_text(
            f"# Hadithi {name}\n\n##\nSimba alilala.\n\n##\n{licence}\n* Language: sw\n"
        )
    (home / "sw" / "broken.md").write_bytes(b"\xff\xfe\n* License: [CC-BY]\n")
    git(tmp_path, "init", "-q", str(home))
    git(home, "add", "-A")
    git(home, "commit", "-qm", "a")
    return repositories.Clones(tmp_path)


def test_stories_without_an_open_licence_are_left_out(clones, tmp_path):
    (lines,) = sources.african_storybook(sources.Where(clones, tmp_path))
    assert (lines.lang, lines.license) == ("sw", "CC-BY")
    assert lines.text == ["Hadithi open", "Simba alilala."]


def test_what_cannot_be_read_of_a_clone_is_counted(clones):
    repository = clones["global-asp/asp-source"]
    names = [*repository.names(), "sw/absent.md"]
    assert len(names) == 5
    assert [name for name, _ in repository.texts(names)] == ["sw/closed.md", "sw/open.md", "sw/untold.md"]
    assert repository.absent == 2
    assert repository.read("sw/open.md").startswith("# Hadithi")
    assert repository.read("sw/absent.md") is None


@pytest.mark.parametrize(
    ("url", "licence"),
    [
        ("http://creativecommons.org/licenses/by-nc-nd/4.0/", ""),
        ("http://creativecommons.org/licenses/by-nd/4.0/", ""),
        ("http://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("http://creativecommons.org/licenses/by4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "PD"),
        ("Public Domain", "PD"),
        ("", ""),
    ],
)
def test_a_bible_s_licence_is_open_or_it_is_none(url, licence):
    assert formats.ebible_licence(url) == licence


def test_the_table_of_bibles_is_read():
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    words = (
        "<si><t>aaa</t></si><si><t>Public Domain</t></si><si><r><t>b</t></r><r><t>bb</t></r></si><si><t>by-nc</t></si>"
    )
    rows = (
        '<row><c r="B1" t="s"><v>0</v></c><c r="AM1" t="s"><v>1</v></c></row>'
        '<row><c r="B2" t="s"><v>2</v></c><c r="AM2" t="s"><v>3</v></c></row>'
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{words}</sst>")
        book.writestr("xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{rows}</sheetData></worksheet>")
    assert formats.ebible_licences(data.getvalue()) == {"aaa": "PD"}


def test_messages_lose_their_markup():
    assert (
        formats.plain("See [[Help:A|the help]], {{GENDER:$1|he}} <b>said</b> %s [//x.org here]!")
        == "See the help , said here !"
    )
    assert formats.without_tones("Iryá wambáye") == "Irya wambaye"


def answer(document, found, who="seedbed"):
    return bench.right(who, bench.Document("x", document, "lafand", "sentence", "dev"), found)


def test_an_answer_is_right_by_language_not_by_spelling():
    assert answer("sw", ("swa", 1.0))
    assert answer("tw", ("ak", 1.0))
    assert not answer("rn", ("rw", 1.0))
    assert not answer("rn", None)
    assert answer("zh-hans", ("zh", 1.0), "fasttext")
    assert answer("zh-hant", ("zh", 1.0), "fasttext")  # it does not tell the two apart
    assert not answer("zh-hant", ("zh", 1.0), "pycld2")


def test_another_language_is_rejected_by_any_name_but_the_46():
    other = bench.Document("x", "ms", "lingua", "sentence", "dev_other")
    assert [bench.right("seedbed", other, found) for found in (None, ("jv", 1.0), ("und", 1.0), ("id", 0.1))] == [
        True,
        True,
        True,
        False,
    ]


def test_recall_is_by_language_and_its_mean_of_languages():
    documents = [bench.Document("x", lang, "lafand", "sentence", "dev") for lang in ("rn", "sw", "sw", "sw")]
    table = bench.recalls("seedbed", documents, [("rw", 0.6), ("sw", 1.0), ("sw", 1.0), ("ny", 1.0)])
    assert table == {("unseen", "sentence", "rn"): (0, 1), ("unseen", "sentence", "sw"): (2, 3)}
    assert bench.mean(table, "unseen", "sentence") == pytest.approx(1 / 3)  # (0 + 2/3) / 2
    assert bench.reliability(documents, [("rw", 0.6), ("sw", 1.0), ("sw", 1.0), ("ny", 1.0)]) == [
        (0.6, 1, 0.6, 0),
        (0.9, 3, 1.0, pytest.approx(2 / 3)),
    ]
