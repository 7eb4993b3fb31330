"""What a page costs is held against the tree that the parser makes of it: that is the definition, and no twin of the
kernel would be. The kernel may say more than there is, and never less than a third."""

import re
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from pipeline.text.html_shape import ATTRIBUTES, DEEPEST, DEPTH, NODES, TOO_MANY, WORK, html_cost

NAMES = re.findall(
    r"\S+",
    """
    div p span b i a nobr font ul ol li dl dt dd table tbody tr td th caption section h1 pre form button select option
    svg math foreignobject mtext desc title template script style textarea iframe noscript frameset head body html
    center object marquee br img x-y""",
)
MADE_ALWAYS = 4  # document, html, head, body: whatever the page says


def cost(page: str | bytes) -> list[int]:
    return html_cost(np.frombuffer(page.encode() if isinstance(page, str) else page, np.uint8)).tolist()


def tree(page: str) -> tuple[int, int]:
    """(depth, nodes) of the parser's tree."""
    deepest = nodes = 0
    waiting = [(HTMLTree.parse(page).document, 0)]
    while waiting:
        node, depth = waiting.pop()
        deepest, nodes = max(deepest, depth), nodes + 1
        child = node.first_child
        while child is not None:
            waiting.append((child, depth + 1))
            child = child.next
    return deepest, nodes


@pytest.mark.parametrize(
    ("page", "depth", "nodes", "attributes"),
    [
        ("", 0, 0, 0),
        ("text", 0, 1, 0),
        ("<div><p>a<p>b</div>", 2, 6, 0),  # the second p closes the first: div > p; 2 texts, 4 tags
        ("<ul>" + "<li>a" * 50 + "</ul>", 2, 102, 0),  # each li closes the one before: 50 tags, 50 texts, 2 of ul
        ("<p " + "a=1 b='>' c" + ">x", 1, 2, 3),  # a `>` in quotes ends no tag
        ("<br><img src=x><hr/>", 0, 3, 1),  # void elements hold nothing
        ("<script>if (a < b) '<div><div>'</script>x", 0, 3, 0),  # script, its end tag, x
        ("<!-- <div><div> --><!-->x<!doctype html><b>", 1, 5, 0),  # `<!-->` is a whole comment
        ("<svg><g/><g><path/></g></svg>", 2, 6, 0),  # only in a drawing a tag ends itself
        ("<svg><g><p>x", 2, 4, 0),  # p breaks out of both
        ("<p><b>x</p>" * 5, 5, 5 * 4 + 0 + 1 + 2 + 3 + 3, 0),  # b is opened anew, three times at most
        ("<div a", 0, 0, 0),  # the page ends within the tag
        ("a < b", 0, 3, 0),  # counted as if `<` stood alone
    ],
)
def test_what_a_page_costs(page, depth, nodes, attributes):
    found = cost(page)
    assert (found[DEPTH], found[ATTRIBUTES]) == (depth, attributes)
    assert found[NODES] == nodes
    assert found[NODES] >= tree(page)[1] - MADE_ALWAYS


def test_work_is_text_times_what_stands_around_it():
    assert cost("<div><div>12345")[WORK] == 16 * 1 + 16 * 2 + 5 * 3  # a tag weighs 16; 5 bytes within two, and one


PIECES = st.sampled_from(
    [part for name in NAMES for part in (f"<{name}>", f"<{name} a=1>", f"</{name}>")] + ["x", "<!-- -->"]
)
UNITS = st.tuples(
    st.sampled_from(["", "<table>", "<svg>"]), st.lists(PIECES, min_size=1, max_size=8), st.integers(1, 20)
)


@settings(max_examples=400, deadline=None)
@example(("<table>", ["<foreignobject>", "<td>", "<math>"], 20))  # MathML knows no foreignobject: none of it closes
@example(("<table>", ["<mtext>", "<td>", "<svg>"], 20))
@given(UNITS)
def test_no_soup_of_tags_makes_a_tree_much_deeper_or_larger_than_was_told(unit):
    before, parts, times = unit
    page = before + "".join(parts) * times
    found, (depth, nodes) = cost(page), tree(page)
    assert depth - MADE_ALWAYS <= 3 * (found[DEPTH] + 1)
    assert nodes - MADE_ALWAYS <= 4 * (found[NODES] + 1)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_cost(data):
    found = cost(data)
    assert all(n >= 0 for n in found)
    assert found[DEPTH] <= len(data)


def test_more_unlike_formatting_elements_than_are_followed_are_too_many():
    fonts = [f"<font size={i}>" for i in range(300)]
    assert cost("".join(fonts[:256]))[NODES] < TOO_MANY
    assert cost("".join(fonts[:257]))[NODES] >= TOO_MANY
    assert cost("<b>" * 300)[NODES] == 300  # of those alike three are remembered


HOSTILE = [
    "<div>",
    "</div>",
    "<b>",
    "<a b=c>",
    "<",
    "</",
    "<!--",
    "<!",
    "<a '",
    "<script>",
    "<p>x",
    "<table><td>",
    "<svg>",
    "&amp;",
    "<i></b>",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_five_megabytes_of_anything_take_less_than_two_seconds(part):
    cost("<p>")
    page = part.encode() * (5_000_000 // len(part))
    begin = time.process_time()
    found = cost(page)
    assert time.process_time() - begin < 2
    assert found[DEPTH] <= DEEPEST


def test_deep_pages_with_many_end_tags_stay_linear():
    page = b"<div>" * (DEEPEST - 1) + b"</span>" * 300_000  # each looks for a span among all that is open
    begin = time.process_time()
    cost(page)
    assert time.process_time() - begin < 4
