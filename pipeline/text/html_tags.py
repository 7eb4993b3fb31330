"""Tags of HTML as a parser reads them: their names, what kind each is, and where they end.

    read_name(data, at) -> (code, the byte behind the name)       kind_of(code) -> VOID | SPECIAL | ...
    read_attributes(data, at) -> (how many, the byte behind `>`)

A name is its first eight bytes in lower case, packed in a uint64, which tells all of them apart. The kinds are those of
the HTML standard (13.2.4.2, 13.2.6). Pieces of the kernel in `html_shape`, which alone says what a page costs.
"""

import numpy as np

from pipeline.text.compiling import piece

VOID, FORMATTING, SPECIAL, SCOPE, RAW, CLOSES_P, ITEM, DEFINED, HEADING, FOREIGN = (1 << bit for bit in range(10))
CELL, ROW, ROWS, BREAKS_OUT, FOREIGN_SCOPE, ONCE, ENDS, OF_SVG = (1 << bit for bit in range(10, 18))

_NAMES = {
    VOID: "area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr",
    FORMATTING: "a b big code em font i nobr s small strike strong tt u",
    SCOPE: "applet caption html table td th marquee object select template foreignobject desc annotation-xml mi mo mn "
    "ms mtext",
    ONCE: "html head body",
    FOREIGN_SCOPE: "foreignobject desc title annotation-xml mi mo mn ms mtext",
    OF_SVG: "foreignobject desc title",  # of FOREIGN_SCOPE; the others are of MathML
    ENDS: "p button applet marquee object select template",
    RAW: "script style xmp iframe noembed noframes textarea title",
    CLOSES_P: "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer "
    "header hgroup main menu nav ol p search section summary ul h1 h2 h3 h4 h5 h6 pre listing form table xmp li dd dt",
    ITEM: "li",
    DEFINED: "dd dt",
    HEADING: "h1 h2 h3 h4 h5 h6",
    FOREIGN: "svg math",
    CELL: "td th",
    ROW: "tr",
    ROWS: "tbody thead tfoot caption",
    BREAKS_OUT: "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing "
    "menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var",
    SPECIAL: "address applet area article aside base basefont bgsound blockquote body br button caption center col "
    "colgroup dd desc details dir div dl dt embed fieldset figcaption figure footer foreignobject form frame frameset "
    "h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe img input keygen li link listing main marquee menu meta mi mn "
    "mo ms mtext nav noembed noframes noscript object ol p param plaintext pre script search section select source "
    "style summary table tbody td template textarea tfoot th thead title tr track ul wbr xmp",
}


def _code(name: str) -> int:
    """The first eight bytes of a name, as `read_name` packs them."""
    code = 0
    for byte in name.encode()[:8]:
        code = code << 8 | byte
    return code


def _table() -> tuple[np.ndarray, np.ndarray]:
    """Names and what they are, at the slot of their code or behind it."""
    flags: dict[int, int] = {}
    for flag, names in _NAMES.items():
        for name in names.split():
            flags[_code(name)] = flags.get(_code(name), 0) | flag
    codes, kinds = np.zeros(1024, np.uint64), np.zeros(1024, np.int64)
    for code, kind in flags.items():
        slot = int((code * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 54)
        while codes[slot]:
            slot = (slot + 1) % 1024
        codes[slot], kinds[slot] = code, kind
    return codes, kinds


CODES, KINDS = _table()
P, A, NOBR, FORM, BUTTON, OPTION = (np.uint64(_code(name)) for name in ("p", "a", "nobr", "form", "button", "option"))
FRAMESET, TABLE, DIV, ADDRESS, PLAINTEXT, MATH = (
    np.uint64(_code(name)) for name in ("frameset", "table", "div", "address", "plaintext", "math")
)
GOLDEN, EIGHT, SLOT_BITS = np.uint64(0x9E3779B97F4A7C15), np.uint64(8), np.uint64(54)
WHOLE_NAME = np.uint64(1 << 56)  # a code of eight bytes


@piece
def kind_of(code):  # type: ignore[no-untyped-def]
    slot = np.int64((code * GOLDEN) >> SLOT_BITS)
    while CODES[slot] != 0:
        if CODES[slot] == code:
            return KINDS[slot]
        slot = (slot + 1) & 1023
    return np.int64(0)


@piece
def read_name(data, at):  # type: ignore[no-untyped-def]
    """(code of the tag's name in lower case, the byte behind it)"""
    code = np.uint64(0)
    while at < data.size:
        byte = data[at]
        if byte <= 32 or byte == 47 or byte == 62:
            break
        if 65 <= byte <= 90:
            byte += 32
        if code < WHOLE_NAME:
            code = (code << EIGHT) | np.uint64(byte)
        at += 1
    return code, at


@piece
def read_attributes(data, at):  # type: ignore[no-untyped-def]
    """(how many, the byte behind `>`, -1 where the page ends before)"""
    count = 0
    while at < data.size:
        byte = data[at]
        if byte == 62:
            return count, at + 1
        if byte <= 32 or byte == 47:
            at += 1
            continue
        count += 1
        at += 1  # a name may begin with `=`
        while at < data.size and data[at] > 32 and data[at] != 47 and data[at] != 62 and data[at] != 61:
            at += 1
        while at < data.size and data[at] <= 32:
            at += 1
        if at < data.size and data[at] == 61:
            at = behind_value(data, at + 1)
    return count, np.int64(-1)


@piece
def behind_value(data, at):  # type: ignore[no-untyped-def]
    while at < data.size and data[at] <= 32:
        at += 1
    if at < data.size and (data[at] == 34 or data[at] == 39):
        quote = data[at]
        at += 1
        while at < data.size and data[at] != quote:
            at += 1
        return at + 1
    while at < data.size and data[at] > 32 and data[at] != 62:
        at += 1
    return at


@piece
def behind_comment(data, at):  # type: ignore[no-untyped-def]
    """The byte behind what begins with `<!` or `<?` at `at`."""
    if at + 3 < data.size and data[at + 1] == 33 and data[at + 2] == 45 and data[at + 3] == 45:
        at += 2  # `<!-->` is a whole comment
        while at + 2 < data.size:
            if data[at] == 45 and data[at + 1] == 45:
                if data[at + 2] == 62:
                    return at + 3
                if data[at + 2] == 33 and at + 3 < data.size and data[at + 3] == 62:
                    return at + 4
            if data[at] == 45 and data[at + 1] == 62 and data[at - 1] == 45 and data[at - 2] == 33:
                return at + 2
            at += 1
        return data.size
    while at < data.size and data[at] != 62:
        at += 1
    return at + 1


@piece
def behind_raw(data, at, name):  # type: ignore[no-untyped-def]
    """The `</name` at which the text of a script, style or the like ends; the page's end where there is none."""
    while at + 2 < data.size:
        if data[at] == 60 and data[at + 1] == 47:
            code, _ = read_name(data, at + 2)
            if code == name:
                return at
        at += 1
    return data.size
