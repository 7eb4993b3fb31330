"""The page of `pretrain plot`: everything the logs tell is on it, nothing that is in them can break out of it."""

import json
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretrain import chart
from pretrain.chart import Axes, Line, draw, short, thin, ticks
from pretrain.errors import InputError
from pretrain.history import _short_names, apart, read

NUMBERS = st.floats(width=32, allow_subnormal=False)
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """The tags of a page, the text between them, and whether every tag is closed."""

    VOID = ("meta",)

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._open = [], "", []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def points(svg):
    return [e.get("points").split() for e in ET.fromstring(svg).iter(f"{SVG}polyline")]


@given(st.lists(st.tuples(NUMBERS, NUMBERS)), st.booleans(), st.booleans(), st.text())
def test_any_numbers_make_a_well_formed_picture_within_its_frame(values, log_x, log_y, name):
    axes = Axes("t", log_x=log_x, log_y=log_y, width=200, height=150)
    told = "".join(c for c in name if c.isprintable())  # XML has no control characters
    for path in points(draw([Line(told, values)], axes, alone=True)):
        for x, y in (map(float, point.split(",")) for point in path):
            assert 0 <= x <= 200 and 0 <= y <= 150


@given(NUMBERS, NUMBERS, st.integers(2, 8))
def test_ticks_are_round_few_and_around_the_values(a, b, most):
    if not (abs(a) < chart._HUGE and abs(b) < chart._HUGE):
        return
    low, high = min(a, b), max(a, b)
    found = ticks(low, high, most)
    assert found == sorted(set(found)) and 2 <= len(found) <= most + 2
    slack = 1e-9 * max(abs(low), abs(high), 1e-9)
    assert found[0] <= low + slack and found[-1] >= high - slack


def test_ticks_worked_by_hand():
    assert ticks(2.1, 2.3) == [2.1, 2.15, 2.2, 2.25, 2.3]
    assert ticks(0, 450e9, 3) == [0, 2e11, 4e11, 6e11]
    assert ticks(5, 5) == [5, 6] and ticks(0, 0) == [0, 0.2]
    assert chart._powers(2e-4, 9e-4) == [2e-4, 5e-4, 1e-3] and chart._powers(1e-3, 900) == [
        10.0**p for p in range(-3, 4)
    ]


def test_a_long_line_is_averaged_and_a_short_one_is_not():
    assert thin([(1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0)], 2) == [(2, 3.0), (4, 7.0)]
    assert thin([(1, 2.0)], 2) == [(1, 2.0)]
    (path,) = points(draw([Line("x", [(i, i % 7) for i in range(5000)])], Axes("t", most=50), alone=True))
    assert len(path) == 50


@pytest.mark.parametrize(("value", "said"), [(98_304_000, "98.3M"), (0.002, "0.002"), (0, "0"), (-2500, "-2.5k")])
def test_numbers_are_said_in_few_signs(value, said):
    assert short(value) == said


def test_the_page_of_a_run_shows_its_curves_its_languages_and_what_it_wrote(finished, pretrain):
    code, out, _ = pretrain("plot", finished.dir)
    assert (code, out.strip()) == (0, str(finished.dir / "plot.html"))
    html = (finished.dir / "plot.html").read_text()
    shown = Page(html)
    labels = [attributes.get("aria-label") for tag, attributes in shown.tags if tag == "svg"]
    for label in (
        "training loss, nats a token",
        "holdout, bits a byte",
        "learning rate",
        "tokens a second",
        "en",
        "sw",
    ):
        assert label in labels
    assert "MFU, % of the peak" not in labels  # of a CPU there is none
    scores = json.loads((finished.dir / "validation.jsonl").read_text().splitlines()[-1])["scores"]
    assert all(
        f"{score['loss']:.4f}" in shown.text and f"{score['bits_per_byte']:.4f}" in shown.text for score in scores
    )
    assert "12" in shown.text and "What they write" in shown.text
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "") and "<script" not in html
    (finished.dir / "plot.html").unlink()


@pytest.fixture
def beside(finished, tmp_path):
    """The finished run, and one of another rate whose logs hold what a model may well write."""
    other = tmp_path / "<b>&" / "run"
    shutil.copytree(finished.dir, other)
    about = json.loads((other / "run.json").read_text())
    about["config"]["train"]["lr"] = 0.25
    (other / "run.json").write_text(json.dumps(about))
    with (other / "samples.jsonl").open("a") as file:
        file.write(
            json.dumps({"step": 12, "prompt": "<i>", "text": "<i></script><script>alert(1)</script>\x00\ud800"}) + "\n"
        )
        file.write('{"step": 12, "pro')  # a crash
    return other


def test_runs_are_told_apart_by_what_differs_and_no_text_breaks_out(finished, beside, pretrain, tmp_path):
    code, _, err = pretrain("plot", finished.dir, beside, "--out", tmp_path / "new" / "both.html")
    assert code == 0, err
    html = (tmp_path / "new" / "both.html").read_text("utf-8")
    shown = Page(html)
    assert "train.lr" in shown.text and "0.25" in shown.text and "train.seed" not in shown.text
    assert "<b>&/run" in shown.text and "<script>alert(1)</script>" in shown.text
    assert not [tag for tag, _ in shown.tags if tag in ("script", "i")]
    assert shown.text.count("What they write") == 1


def test_a_run_that_has_just_begun_has_a_page(finished, tmp_path, pretrain):
    folder = tmp_path / "r"
    folder.mkdir()
    shutil.copy(finished.dir / "run.json", folder)
    assert pretrain("plot", folder)[0] == 0
    shown = Page((folder / "plot.html").read_text())
    assert "Languages" not in shown.text and "0 of 12" in shown.text


def test_what_is_no_run_or_no_log_of_one_is_told(finished, tmp_path, pretrain):
    code, _, err = pretrain("plot", tmp_path)
    assert code == 1 and "is no run's folder" in err
    shutil.copytree(finished.dir, tmp_path / "r")
    (tmp_path / "r" / "watch.jsonl").write_text('{"step": 1, "tokens": 2, "grad_norm": [], "tokens_by_language": {}}\n')
    code, _, err = pretrain("plot", tmp_path / "r")
    assert code == 1 and "watch.jsonl, line 1: grad_norm is not what a run writes there" in err


def test_a_page_that_cannot_be_written_is_told(finished, tmp_path, pretrain):
    (tmp_path / "file").write_text("")
    code, _, err = pretrain("plot", finished.dir, "--out", tmp_path / "file" / "p.html")
    assert code == 1 and "p.html cannot be written" in err


def test_history_counts_in_tokens(finished):
    (run,) = read([finished.dir])
    assert run.tokens_at(0) == 0 and run.tokens_at(12) == run.tokens == run.metrics[-1]["tokens"]
    assert [x for x, _ in run.score("en", "loss")] == [run.metrics[i - 1]["tokens"] for i in (4, 8, 12)]
    assert list(run.consumed) == ["en", "sw", "py"] and run.layers == ["embedding", "h.0", "ln_f"]
    assert run.loss == run.metrics[-1]["loss"]  # a twentieth of 12 steps is one
    assert apart([run, run]) == []


def test_names_are_as_long_as_they_have_to_be(tmp_path):
    paths = [tmp_path / "a" / "run", tmp_path / "b" / "run"]
    assert _short_names(paths) == ["a/run", "b/run"]
    assert _short_names(paths[:1]) == ["run"] and len(set(_short_names([paths[0]] * 2))) == 1


def test_a_log_that_is_none_is_refused_by_its_line(finished, tmp_path):
    shutil.copytree(finished.dir, tmp_path / "r")
    (tmp_path / "r" / "metrics.jsonl").write_text('{"step": 1, "tokens": 2}\n{"tokens": 2}\n')
    with pytest.raises(InputError, match=r"metrics.jsonl, line 2: step is not"):
        read([tmp_path / "r"])
