"""How numbers and foreign text are put into words, the same on the page, in the card and on the terminal.

    count(1234567)      -> '1,234,567'        short(1234567) -> '1.23M'        share(0.00042) -> '0.04%'
    visible('a\\x1b[31m\\u202eb') -> 'a␛[31m⟨U+202E⟩b'

Text from the corpus may hold anything. Whatever is shown goes through `visible` first: what would act (terminal
escapes, bidi overrides) or could not stand in HTML or XML (NUL, lone surrogates, noncharacters) becomes a sign that
one can read. It must never be used where text is worked on: it changes it.
"""

from __future__ import annotations

from pipeline.units import say_bytes

__all__ = ["count", "plural", "say_bytes", "seconds", "share", "short", "visible"]


def _signs() -> dict[int, str]:
    """Code point -> what is shown for it. Tab and newline stay; joiners (U+200C, U+200D) stay, scripts need them."""
    signs = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)} | {0x7F: "␡"}
    named = [
        *range(0x80, 0xA0),
        0xAD,
        0x061C,
        0x200B,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
    ]
    named += [*range(0xFDD0, 0xFDF0), *(plane * 0x10000 + end for plane in range(17) for end in (0xFFFE, 0xFFFF))]
    named += [*range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)]  # interlinear signs; tag characters, which hide words
    return signs | {code: f"⟨U+{code:04X}⟩" for code in named} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


SIGNS = _signs()


def visible(text: str) -> str:
    """`text` with all that is invisible, acts on its surroundings or is no character shown as a sign."""
    return text.translate(SIGNS)


def count(number: float) -> str:
    """All digits of a whole number, in groups of three."""
    return f"{number:,.0f}"


def plural(number: int, noun: str, nouns: str = "") -> str:
    """'1 language', '46 languages'."""
    return f"{count(number)} {noun if number == 1 else nouns or noun + 's'}"


def short(number: float) -> str:
    """Three digits and a unit: 1234567 -> '1.23M'. Decimal units; below 1000 the number itself."""
    if abs(number) < 1000:
        return f"{number:.0f}"
    for unit in ("k", "M", "G", "T"):
        number /= 1000
        if abs(number) < 999.5 or unit == "T":
            return f"{number:.3g}{unit}" if abs(number) < 999.5 else f"{number:,.0f}{unit}"
    raise AssertionError("the loop ends with T")


def share(part: float) -> str:
    """A share in [0, 1] as a percentage: two digits that mean something, never '0%' for what is not nothing."""
    percent = 100 * part
    if percent == 0 or percent >= 99.95:
        return "0%" if percent == 0 else "100%" if part == 1 else ">99.9%"
    if percent < 0.01:
        return "<0.01%"
    return f"{percent:.2f}%" if percent < 1 else f"{percent:.1f}%"


def seconds(time: float) -> str:
    """'0.42 s', '12.3 s', '4 min 05 s', '2 h 03 min'."""
    if time < 60:
        return f"{time:.2f} s" if time < 10 else f"{time:.1f} s"
    minutes, rest = divmod(round(time), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
