"""How many sentences a text has, in any script, by rules alone: what C4 asks of a page.

A sentence ends
- where the line does (any line end of `str.splitlines`);
- behind a mark that only ends sentences: the danda of Devanagari, the full stops of Chinese, Arabic, Ethiopic, ...;
- behind `.`, `!`, `?`, `…` and their doubled forms, closing quotes and brackets included, if white space follows and
  the next letter or digit is no lower-case letter; but not behind the point of an initial (`J. Smith`).
It counts if a letter or digit stands in it. Thai and Lao, which have no such marks, count lines.

A piece of the kernel in `quality`; its plain-Python twin splits by a regular expression.
"""

from pipeline.text.characters import ALNUM
from pipeline.text.compiling import piece
from pipeline.text.marks import BLANK, BREAK, CLOSER, LATIN_END, LOWER, TERMINAL, UPPER

NONE, MARK, GAP = range(3)  # what stands since the last letter: nothing, a mark, white space behind a mark
POINT = 46


@piece
def count_sentences(codes, kinds, count):  # type: ignore[no-untyped-def]
    sentences, filled = 0, False  # filled: a letter or digit stands in the sentence so far
    since, run, upper = NONE, 0, False  # run: letters and digits in a row
    for i in range(count):
        kind = kinds[i]
        if kind & ALNUM:
            if since == GAP and filled and not kind & LOWER:
                sentences += 1
            since, filled = NONE, True
            run += 1
            upper = kind & UPPER != 0
            continue
        if kind & BREAK or (kind & TERMINAL and not kind & LATIN_END):
            sentences += filled
            since, filled = NONE, False
        elif kind & LATIN_END:
            if since == NONE and not (codes[i] == POINT and run == 1 and upper):
                since = MARK
        elif since == MARK:
            if kind & BLANK:
                since = GAP
            elif not kind & CLOSER:
                since = NONE
        run = 0
    return sentences + filled
