"""Seeing before deciding: how a measure is spread, what a limit would drop, and documents on both sides of it.

    found = inspect(plan(config), Question("word_repetition", langs=("sw",), high=0.15), memory=8_000_000_000)
    print_inspection(found, console)         write_page(found, workdir) -> workdir/inspect-word_repetition-sw.html

It reads what steps have sealed and judges nothing: no step is made, no layer is written.
"""

from pipeline.inspection.gather import Question, inspect
from pipeline.inspection.inspected import Inspected
from pipeline.inspection.page import write_page
from pipeline.inspection.terminal import print_inspection

__all__ = ["Inspected", "Question", "inspect", "print_inspection", "write_page"]
