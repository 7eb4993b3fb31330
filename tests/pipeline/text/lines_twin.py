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


def template_lines(
    texts: list[str], groups: list[str], min_chars: int, min_count: int, min_share: float, keep: str, by: str
) -> list[list[bool]]:
    """Which lines of which texts go; `groups` says which texts are counted together."""
    totals: dict[tuple[str, str], int] = {}
    for text, group in zip(texts, groups, strict=True):
        lines = [trimmed(line) for line in text.split("\n") if counts(line, min_chars)]
        for line in lines if by == "occurrences" else set(lines):
            totals[group, line] = totals.get((group, line), 0) + 1
    seen, marked = set(), []
    for text, group in zip(texts, groups, strict=True):
        marked.append([])
        for line in text.split("\n"):
            key = (group, trimmed(line))
            goes = counts(line, min_chars) and totals[key] >= min_count
            goes = goes and (not min_share or totals[key] >= min_share * groups.count(group))
            marked[-1].append(goes and (keep == "none" or key in seen))
            seen.add(key)
    return marked
