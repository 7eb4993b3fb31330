"""What lines are and which go, in plain Python: the definition that the kernels must equal."""

from tests.pipeline.text.measures_twin import is_space


def trimmed(line: str) -> str:
    while line and is_space(line[0]):
        line = line[1:]
    while line and is_space(line[-1]):
        line = line[:-1]
    return line


def counts(line: str, min_chars: int) -> bool:
    return len(trimmed(line)) >= min_chars


def repeated(text: str, min_chars: int) -> list[bool]:
    seen, marked = set(), []
    for line in text.split("\n"):
        marked.append(counts(line, min_chars) and trimmed(line) in seen)
        seen.add(trimmed(line))
    return marked


def holding(text: str, strings: list[str]) -> list[bool]:
    return [any(string in line for string in strings) for line in text.split("\n")]


def without(text: str, marked: list[bool]) -> str | None:
    """None where nothing is marked."""
    lines = text.split("\n")
    assert len(lines) == len(marked)
    return "\n".join(line for line, goes in zip(lines, marked, strict=True) if not goes) if any(marked) else None


def parts(text: str, unit: str) -> list[str]:
    return text.split("\n") if unit == "line" else paragraphs(text)


def template_lines(
    texts: list[str],
    groups: list[str],
    min_chars: int,
    min_count: int,
    min_share: float,
    keep: str,
    by: str,
    unit: str = "line",
) -> list[list[bool]]:
    """Which lines (or paragraphs) of which texts go; `groups` says which texts are counted together."""
    totals: dict[tuple[str, str], int] = {}
    for text, group in zip(texts, groups, strict=True):
        lines = [trimmed(line) for line in parts(text, unit) if counts(line, min_chars)]
        for line in lines if by == "occurrences" else set(lines):
            totals[group, line] = totals.get((group, line), 0) + 1
    seen, marked = set(), []
    for text, group in zip(texts, groups, strict=True):
        marked.append([])
        for line in parts(text, unit):
            key = (group, trimmed(line))
            goes = counts(line, min_chars) and totals[key] >= min_count
            goes = goes and (not min_share or totals[key] >= min_share * groups.count(group))
            marked[-1].append(goes and (keep == "none" or key in seen))
            seen.add(key)
    return marked


def paragraphs(text: str) -> list[str]:
    """A text as its paragraphs: each goes on to the first line of the next, and the first begins with the text."""
    out: list[str] = []
    for line in text.split("\n"):
        begins = bool(trimmed(line)) and bool(out) and not trimmed(out[-1].split("\n")[-1]) and bool(trimmed(out[-1]))
        if begins or not out:
            out.append(line)
        else:
            out[-1] += "\n" + line
    return out if text else []


def without_paragraphs(text: str, marked: list[bool]) -> str | None:
    """None where nothing is marked."""
    left = "\n".join(part for part, goes in zip(paragraphs(text), marked, strict=True) if not goes)
    if not any(marked):
        return None
    return left.rstrip("\n") if marked[-1] else left
