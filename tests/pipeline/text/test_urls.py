"""One page has one address, whatever its spelling; another page has another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.urls import one_spelling

SAME = ["http://www.Example.org", "https://example.org/", "HTTPS://EXAMPLE.ORG:443//", " //example.org/#top ",
        "example.org?utm=1", "http://me:pw@example.org:80/", "example.org.", "http://example.org/?a?b#c?d"]  # fmt: skip


@pytest.mark.parametrize("url", SAME)
def test_spellings_of_one_page_are_one(url):
    assert one_spelling(url) == "example.org"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org/News/", "example.org/News"),  # the case of a path counts
        ("http://example.org/a%20b//c", "example.org/a%20b//c"),
        ("https://example.org:80/", "example.org:80"),  # no port of https
        ("http://www.org/x", "www.org/x"),  # www is the name here
        ("http://www2.example.org", "www2.example.org"),
        ("ftp://example.org/x", "ftp://example.org/x"),
        ("example.org/see/http://other.org", "example.org/see/http://other.org"),
        ("http://[::1", "[::1"),
        ("http:///path", ""),
        ("example.org:8080/a:b@c", "example.org:8080/a:b@c"),
        ("", ""),
    ],
)
def test_what_counts_stays(url, expected):
    assert one_spelling(url) == expected


def test_parameters_that_count_stay_in_their_order():
    url = "http://example.org/i.php?b=2&id=7&a&id=8#x"
    assert one_spelling(url, ("id", "a")) == "example.org/i.php?id=7&a&id=8"
    assert one_spelling(url, None) == "example.org/i.php?b=2&id=7&a&id=8"


@given(st.text())
def test_any_text_has_a_spelling(url):
    assert isinstance(one_spelling(url), str)


@pytest.mark.parametrize(
    "url", ["mailto:a@example.org", "MAILTO:example.org", "a@example.org", "data:text/html,example.org", "urn:isbn:1"]
)
def test_what_names_no_host_has_no_spelling(url):
    assert one_spelling(url) == ""
