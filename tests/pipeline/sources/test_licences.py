import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.licences import (
    _BSD,
    _ISC,
    _MIT,
    BRACKETS_AT_MOST,
    PHRASES,
    allows,
    declared,
    is_licence_file,
    nearest,
    recognise,
    together,
)
from tests.pipeline.sources.making import growth

MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction... The above copyright notice and
this permission notice shall be included in all copies or substantial portions of the Software."""
BSD2 = "Redistribution and use in source and binary forms, with or without modification, are permitted"
ISC = """Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee
is hereby granted"""


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT, "MIT"),
        (MIT.replace("\n", "\n * "), "MIT"),  # in a comment
        (MIT.split("The above")[0], "MIT-0"),
        (MIT.replace("this software and associated", "the font software and"), None),
        (BSD2, "BSD-2-Clause"),
        (BSD2 + " ... Neither the name of the copyright holder nor", "BSD-3-Clause"),
        (BSD2 + " ... All advertising materials mentioning features ... Neither the name", "BSD-4-Clause"),
        (ISC + ", provided that the above copyright notice and this permission notice appear", "ISC"),
        (ISC + ". THE SOFTWARE IS PROVIDED", "0BSD"),
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n  Version 2, June 1991", "GPL-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007 ... GNU Affero General Public License", "GPL-3.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 2.1, February 1999", "LGPL-2.1"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007", "AGPL-3.0"),
        ("Mozilla Public License Version 2.0\n=====", "MPL-2.0"),
        ("Mozilla Public License Version 1.1", None),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", "PSF-2.0"),
        ("Boost Software License - Version 1.0 - August 17th, 2003", "BSL-1.0"),
        ("All rights reserved.", None),
        (BSD2 + " ... " + MIT, "BSD-2-Clause"),  # the first of two decides
        (MIT + " ... " + BSD2, "MIT"),
    ],
)
def test_a_licence_is_recognised_by_its_words(text, licence):
    assert recognise(text) == licence


# the twin: each licence as one regular expression, which may look behind every place where its words stand
ENDS = "the above copyright notice and this permission notice"
WHOLE = {
    "MIT": rf"{_MIT}.*{ENDS}",
    "MIT-0": rf"{_MIT}(?!.*{ENDS})",
    "ISC": rf"{_ISC} is hereby granted, provided that the above copyright notice"
    r"(?!.*except as contained in this notice)",
    "BSD-4-Clause": rf"{_BSD}.*all advertising materials mentioning",
    "BSD-3-Clause": rf"{_BSD}(?!.*all advertising materials mentioning)"
    r".*(?:neither the names?|may not be used to endorse)",
    "BSD-2-Clause": rf"{_BSD}(?!.*(?:neither the name|endorse or promote|all advertising materials))",
}
PIECES = [
    re.sub(r"\(\?:(.*?)\)\?", r"\1", part)
    for part in (_MIT, _BSD, _ISC + " is hereby granted, provided that the above copyright notice")
]
PIECES += [part for phrase in PHRASES for part in (*phrase.behind, *phrase.nowhere)] + ["apache license version 2.0"]


def by_whole(text: str) -> str | None:
    found = [(m.start(), p.licence) for p in PHRASES if (m := re.search(WHOLE.get(p.licence, p.words), text))]
    return min(found, key=lambda hit: hit[0])[1] if found else None


@given(st.lists(st.sampled_from(PIECES), max_size=7).map(" ".join))
def test_a_licence_is_the_one_that_its_whole_expression_finds(text):
    assert recognise(text) == by_whole(text)


@pytest.mark.parametrize("phrase", [BSD2, MIT.split("The above")[0]])
def test_a_text_that_repeats_a_phrase_costs_no_more_than_its_length(phrase):
    assert growth(recognise, lambda n: (phrase + " ") * n, 70_000 // len(phrase)) < 3


def test_an_expression_has_so_many_brackets_and_no_more():
    deep = "(" * BRACKETS_AT_MOST + "MIT" + ")" * BRACKETS_AT_MOST
    assert allows(deep, ["MIT"])
    assert not allows(f"({deep})", ["MIT"])
    assert not allows("(" * 4000, ["MIT"])


@pytest.mark.parametrize(
    ("data", "expression"),
    [
        (b"// SPDX-License-Identifier: MIT\n", "MIT"),
        (b"/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */", "GPL-2.0 WITH Linux-syscall-note"),
        (b"# SPDX-License-Identifier:  (MIT OR  Apache-2.0)\r\nx", "(MIT OR Apache-2.0)"),
        (b"x" * 5000 + b"SPDX-License-Identifier: MIT", None),  # not in the head
        (b"SPDX-License-Identifier: \n", None),
    ],
)
def test_a_file_may_declare_its_licence(data, expression):
    assert declared(data) == expression


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", True), ("mit", True), ("GPL-3.0-only", False), (None, False), ("", False),
        ("MIT OR GPL-3.0-only", True), ("MIT AND GPL-3.0-only", False), ("MIT AND Apache-2.0", True),
        ("GPL-3.0 OR MIT AND Apache-2.0", True), ("(GPL-3.0 OR MIT) AND GPL-3.0", False),
        ("LGPL-2.1-or-later", True), ("LGPL-2.1+", True), ("LGPL-2.1 WITH some-exception", True),
        ("MIT Apache-2.0", False), ("(MIT", False), ("MIT OR", False), ("MIT WITH", False), (")", False),
        ("MIT OR ( X", False),
    ],
)  # fmt: skip
def test_an_expression_is_allowed_or_not(expression, verdict):
    assert allows(expression, ["MIT", "Apache-2.0", "LGPL-2.1"]) == verdict


@given(st.lists(st.sampled_from(["MIT", "X", "AND", "OR", "WITH", "(", ")"]), max_size=10).map(" ".join))
def test_any_expression_gets_an_answer_and_allowing_more_never_forbids(expression):
    assert allows(expression, ["MIT"]) <= allows(expression, ["MIT", "X"])


def test_the_nearest_folder_decides():
    by_folder = {"": "MIT", "a/b": "ISC"}
    assert [nearest(p, by_folder) for p in ("x.c", "a/x.c", "a/b/x.c", "a/b/c/x.c", "a/bc/x.c")] == [
        "MIT", "MIT", "ISC", "ISC", "MIT",
    ]  # fmt: skip
    assert nearest("a/x.c", {}) is None


def test_licences_of_one_folder_hold_together():
    assert together(["MIT", None, "Apache-2.0", "MIT"]) == "Apache-2.0 AND MIT"
    assert together(["GPL-3.0", "LGPL-3.0"]) == "LGPL-3.0"
    assert together([None]) is None


@pytest.mark.parametrize(
    "name", ["LICENSE", "a/Licence.txt", "COPYING.LESSER", "MIT-LICENSE", "LICENSE-APACHE", "UNLICENSE"]
)
def test_licence_files_are_known_by_name(name):
    assert is_licence_file(name)


@pytest.mark.parametrize("name", ["licenses.md", "license.html", "src/relicense", "LICENSES/x.py", "copyingfiles"])
def test_other_files_are_not(name):
    assert not is_licence_file(name)
