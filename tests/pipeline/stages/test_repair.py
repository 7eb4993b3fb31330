"""What is not shown to ftfy it would not have changed; what is shown comes back as it makes it."""

import time

import ftfy
import numpy as np
import pytest
from ftfy import badness
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.stages.normalize import Normalize
from pipeline.stages.repair import mojibake, repaired, unusual
from pipeline.text.suspects import suspects
from tests.pipeline.stages.tables import docs, texts_after
from tests.pipeline.text.texts import ANY_TEXT, array

LETTERS = sorted({c for c in badness.BADNESS_RE.pattern if c > " "} | set("\x80\x9f\xa0\xad— Aa.é文"))
SENTENCES = [
    "L’été à Cœur",
    "größer — «né»",
    "naïve 😀 café",
    "Ça va Ô São",
    "Пример",
    "मानव",
    "ABC €5 ½ × ²",
    "±5° √x",
]
DAMAGE = ["latin-1", "cp1252", "cp1251", "macroman", "cp437", "sloppy-windows-1252", "sloppy-windows-1253"]


def damaged(text: str, encoding: str) -> str:
    return text.encode("utf-8").decode(encoding, errors="replace")


DAMAGED = st.builds(damaged, st.sampled_from(SENTENCES), st.sampled_from(DAMAGE))
LINE = st.lists(st.text(st.sampled_from(LETTERS), max_size=6) | DAMAGED | st.sampled_from(SENTENCES), max_size=4).map(
    "".join
)
TEXT = st.lists(LINE | ANY_TEXT, max_size=4).map("\n".join)


@settings(deadline=None, max_examples=150)
@given(TEXT)
@example("a\nÃ ")
@example("Ø Ø ")
@example("œé")
@example("ГўВЂВ.a")
def test_mojibake_is_repaired_line_by_line_as_ftfy_does(text):
    expected = "\n".join(map(ftfy.fix_encoding, text.split("\n")))
    assert repaired(array([text]), np.zeros(1, np.int64), "encoding").get(0, text) == expected


@settings(deadline=None, max_examples=100)
@given(TEXT | st.text("&amp;ﬁ“ﾊ\x1b[1m\r\u2028ĳé\u0301a<\x07Ａ", max_size=20))
@example("&lt;\n<\n&lt;")
def test_a_text_is_fixed_as_ftfy_does(text):
    expected = ftfy.fix_text(text, normalization="NFC")
    assert repaired(array([text]), np.zeros(1, np.int64), "text").get(0, text) == expected


def test_ordinary_text_in_many_scripts_is_not_shown_to_ftfy():
    plain = [
        "It’s “fine”, — really…",
        "Il a été à la mer, cœur",
        "人人生而自由，在尊严",
        "العربية",
        "हिन्दी",
        "Tiền thân khác",
    ]
    assert suspects(array(plain), mojibake()).tolist() == [False] * 6
    assert suspects(array(["itâ€™s"]), mojibake()).tolist() == [True]


def test_an_emoji_in_one_line_does_not_keep_another_from_being_repaired():
    text = "😀 smile\nles Ã©tudes dâ€™Ã©tÃ©"
    expected = ["😀 smile\nles études d’été"]
    assert (
        texts_after(Normalize(ftfy=True), docs([text]))
        == expected
        == texts_after(Normalize(ftfy="encoding"), docs([text]))
    )


def test_fix_text_makes_quotes_straight_and_encoding_leaves_them():
    assert texts_after(Normalize(ftfy="text"), docs(["“ﬁn” &amp; ＡＢ"])) == ['"fin" & AB']
    assert texts_after(Normalize(ftfy="encoding"), docs(["“ﬁn” &amp; ＡＢ"])) == ["“ﬁn” &amp; ＡＢ"]


@pytest.mark.parametrize("part", ["é", "Ã©", "a", "’é ", "\n"])
def test_no_text_takes_more_than_linear_time_to_be_suspected(part):
    suspects(array([part]), unusual())  # compiled by now
    text = array([part * (4_000_000 // len(part.encode()))])
    begin = time.process_time()
    suspects(text, mojibake())
    suspects(text, unusual())
    assert time.process_time() - begin < 0.5
