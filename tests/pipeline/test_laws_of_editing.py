"""The laws of conservation, determinism and all or nothing, over the stages that take parts out of documents.

What makes these hard: a stage may leave a document empty, which then goes; the stages after it must not meet it.
"""

import json
import random
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.store.counts import total
from tests.pipeline.making import config, go, kept_after, ledger_of, listed_backwards, sealed, stopped_at_write

EDITING = [
    "dedup_url",
    {"dedup_lines": {"min_chars": 1, "min_count": 3, "keep": "none", "within": "corpus"}},
    "html_leftovers",
    {"drop_lines": {"repeated": True}},
    "drop_words",
    {"drop_trailer": {"min_lines": 1}},
    {"normalize": {"ftfy": "encoding"}},
]
EMPTYING = ("dedup_lines", "html_leftovers", "drop_lines", "drop_words")
WORDS = st.sampled_from(["the", "cat", "und", "Hund", "我们", "हिन्दी", "me@example.com", "now"])
LEFT = ["{", "http://a.b", "<p>", "&amp;", "the menu", "cafÃ©", "<!-- -->"]
LINE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.lists(WORDS, min_size=1, max_size=30).map(" ".join),
    st.sampled_from(LEFT),
)
FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, texts: list[str], first: int = 0) -> None:
    urls = [f"http://a.b/{at - (at % 7 == 6)}" for at in range(first, first + len(texts))]  # every seventh twice
    lines = (json.dumps({"text": text, "url": url, "lang": "en"}) for text, url in zip(texts, urls, strict=True))
    path.write_text("\n".join(lines) + "\n")


def crawl(folder: Path, count: int = 40) -> Path:
    """Two files: documents of a few lines, and between them some of which one of EMPTYING leaves nothing."""
    chance = random.Random(7)
    words = ["free", "equal", "dignity", "rights", "reason", "born", "conscience", "spirit"]
    emptied = ["the menu", "<!-- {} -->", "var x{} = {{", "https://example.org/{}"]
    texts = []
    for i in range(count):
        body = [" ".join(chance.choices(words, k=9)) + f" and the {i} of them." for _ in range(3)]
        texts.append("\n".join([*body, "the menu", chance.choice(LEFT), "café naÃ¯ve"]))
        texts.append(emptied[i % len(emptied)].format(i))
    write(folder / "a.jsonl", texts[:count])
    write(folder / "b.jsonl", texts[count:], count)
    return folder


def assert_conserved(result) -> dict[str, int]:
    """Every document that goes into a stage comes out once, kept or in its ledger; {stage: how many it emptied}."""
    emptied = {}
    before = kept_after(result, 0).column("id").to_pylist()
    for count, planned in enumerate([p for p in result.steps if p.kind != "source"], 1):
        kept, gone = kept_after(result, count), ledger_of(planned)
        ids = kept.column("id").to_pylist()
        assert sorted(ids + gone.column("id").to_pylist()) == sorted(before), planned.name
        manifest = planned.step.manifest()
        assert (total(manifest["kept"]), total(manifest["dropped"])) == (len(ids), gone.num_rows)
        excerpts = gone.filter(pc.equal(gone.column("reason"), "emptied")).column("excerpt").to_pylist()
        assert all(excerpt.strip() for excerpt in excerpts)  # the ledger shows what it held
        emptied[planned.name] = len(excerpts)
        before = ids
    return emptied


@FEW
@given(texts=st.lists(st.lists(LINE, max_size=5).map("\n".join), min_size=2, max_size=8), cut=st.integers(1000, 1200))
def test_editing_stages_lose_no_document(tmp_path_factory, texts, cut):
    folder = tmp_path_factory.mktemp("law")
    write(folder / "a.jsonl", texts)
    assert_conserved(go(config(folder, stages=EDITING, shard_size=cut)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = crawl(tmp_path_factory.mktemp("whole"))
    return folder, go(config(folder, stages=EDITING, shard_size=1500))


def test_every_stage_that_can_empty_a_document_does_and_none_is_lost(whole):
    emptied = assert_conserved(whole[1])
    assert all(emptied[name] for name in EMPTYING), emptied
    assert all(p.step.manifest()["tallies"] for p in whole[1].steps if p.name not in ("source.src", "dedup_url"))
    assert ledger_of(next(p for p in whole[1].steps if p.name == "dedup_url")).num_rows > 5


def test_bytes_of_editing_stages_do_not_depend_on_workers(whole):
    folder, one = whole
    two = go(config(folder, "two", stages=EDITING, shard_size=1500, run={"workers": 2}))
    assert len(sealed(one)) > 40
    assert sealed(one) == sealed(two)


def test_bytes_of_editing_stages_do_not_depend_on_how_a_folder_lists_its_files(whole, monkeypatch):
    folder, one = whole
    listed_backwards(monkeypatch)
    assert sealed(one) == sealed(go(config(folder, "backwards", stages=EDITING, shard_size=1500)))


@settings(FEW, max_examples=8)
@given(after=st.integers(1, 150))
def test_a_run_of_editing_stages_that_stops_anywhere_goes_on_to_the_same_bytes(whole, tmp_path_factory, after):
    folder, one = whole
    broken = str(tmp_path_factory.mktemp("broken"))
    made = config(folder, stages=EDITING, shard_size=1500, run={"workdir": broken})
    with stopped_at_write(after):
        go(made)
    assert sealed(go(made)) == sealed(one)
    assert not list(Path(broken).rglob(".tmp-*"))
