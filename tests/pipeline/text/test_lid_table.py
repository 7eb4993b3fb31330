"""Every character is to the identifier what the twin says."""

import sys

from pipeline.text.han import ONE_SIDE, sides
from pipeline.text.lid_characters import KIND_AT, LETTER, LOOK_AT, MARK, NOTHING, SCRIPT_AT, SCRIPTS, table
from tests.pipeline.text import lid_twin

KINDS = {"gap": 0, "letter": LETTER, "nothing": NOTHING}


def test_kind_look_and_letter_of_every_character():
    wrong = []
    for code in range(0x10000):
        char, entry = chr(code), int(table()[code])
        kind, look = lid_twin.kind_of(char), lid_twin.look_of(char)
        told = entry >> KIND_AT & 3
        right = told == KINDS[kind] or (told == MARK and kind == "letter")
        if kind != "nothing":
            right &= entry >> LOOK_AT == ord(look)
        if kind == "letter":
            right &= entry & 0xFFFF == ord(lid_twin.folded(char))
            right &= entry >> SCRIPT_AT & 15 in (0, SCRIPTS.index(lid_twin.script_of(char)))
        if not right:
            wrong.append(hex(code))
    assert sys.maxunicode > 0x10000
    assert not wrong


def test_simplified_and_traditional_characters_are_told_and_shared_ones_are_not():
    simplified, traditional = "国书马门说学们这", "國書馬門說學們這"
    assert {sides()[ord(c)] for c in simplified} == {ONE_SIDE[0]}
    assert {sides()[ord(c)] for c in traditional} == {ONE_SIDE[1]}
    assert not any(sides()[ord(c)] for c in "人民中文大小的不")
