"""How well a tokenizer serves each language: fertility, parity with English, its smaller sizes, other tokenizers.

    found = examine(plan(config), Question(parallel=Path("data/udhr"), against=(Path("theirs.json"),)))
    print_fertility(found, console)          write_page(found, workdir) -> workdir/tokenizer.html

It reads what a run has sealed, and files that the user names; no step is made.
"""

from pipeline.fertility.gather import Question, examine
from pipeline.fertility.measured import Fertility
from pipeline.fertility.page import write_page
from pipeline.fertility.terminal import print_fertility

__all__ = ["Fertility", "Question", "examine", "print_fertility", "write_page"]
