"""What C4 makes of a page's lines, in plain Python: the definition that the kernel must equal."""

import re

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def reason(
    line: str, words: list[str], *, ended: bool, javascript: bool, policy: bool, evidence: bool, fewest: int
) -> str:
    """Why a line goes; empty where it stays."""
    lower = line.lower()
    if ended and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
        return "unended"
    if len(words) < fewest:
        return "few_words"
    if evidence and "lorem ipsum" in lower:
        return ""
    if javascript and "javascript" in lower:
        return "javascript"
    if evidence and "{" in line:
        return ""
    return "policy" if policy and any(phrase in lower for phrase in POLICIES) else ""


def c4_lines(text: str, *, citations: bool, fewest: int, longest: int, **rules: bool) -> tuple[str, list[str]]:
    """The text that stays, and for each line why it went."""
    kept, reasons = [], []
    for raw in text.splitlines():
        line = raw.strip()
        words = line.split()
        if any(len(word) > longest for word in words):
            reasons.append("long_word")
            continue
        line = CITATION.sub("", line) if citations else line
        reasons.append(reason(line, words, fewest=fewest, **rules))
        kept += [line] if not reasons[-1] else []
    return "\n".join(kept).strip(), reasons
