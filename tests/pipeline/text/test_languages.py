"""The 46 languages of ROOTS, and how others spell them."""

import pytest

from pipeline.text.languages import LANGUAGES, canonical, same


def test_there_are_46_and_each_is_its_own_canonical_code():
    assert len(LANGUAGES) == 46
    assert all(canonical(code) == code for code in LANGUAGES)


def test_families_are_as_large_as_in_roots():
    families = [language.family for language in LANGUAGES.values()]
    assert (families.count("Niger-Congo"), families.count("Indic")) == (22, 13)


@pytest.mark.parametrize(
    ("spelled", "code"),
    [
        ("eng", "en"), ("EN", "en"), ("en-US", "en"), ("pt_BR", "pt"), ("swa", "sw"), ("swh_Latn", "sw"),
        ("sw-KE", "sw"), ("zh", "zh-hans"), ("zh-CN", "zh-hans"), ("zh_TW", "zh-hant"), ("zh-Hant-CN", "zh-hant"),
        ("cmn", "zh-hans"), ("zho_Hant", "zh-hant"), ("in", "id"), ("pa-IN", "pa"), ("ory", "or"), ("twi", "tw"),
        ("ger", "de"), ("de-AT", "de"), ("deu_Latn", "de"), ("srp_latn", "sr-Latn"), ("HI_latn", "hi-Latn"),
        ("zsm", "ms"), ("iw", "he"), ("nob", "nb"), ("ckb", "ckb"), ("fr-CA-x-old", "fr"), ("de-CH-1996", "de"),
    ],
)  # fmt: skip
def test_other_spellings_of_the_same_language(spelled, code):
    assert canonical(spelled) == code


@pytest.mark.parametrize(
    "code", ["de", "yue", "zh-min-nan", "hi-Latn", "pa-Arab", "sr-Latn", "python", "C++", "und", "Cyrl", "xx", "", "-"]
)
def test_canonical_codes_and_what_is_no_code_stay_as_they_are(code):
    assert canonical(code) == code


def test_every_three_letter_code_leads_back():
    assert all(canonical(language.iso3) == code for code, language in LANGUAGES.items() if code != "zh-hant")


def test_akan_and_twi_are_one_to_identifiers():
    assert same("ak", "tw")
    assert same("en", "en")
    assert not same("rn", "rw")
