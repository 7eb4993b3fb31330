"""Words that go and trailers, in plain Python: the definition that the kernels must equal."""

from tests.pipeline.text.measures_twin import is_space, is_special, is_unspaced, lower, words


def tokens(line: str) -> list[str]:
    """Runs of blanks, words and characters of scripts without spaces, in order."""
    out: list[str] = []
    sort_before = None
    for c in line:
        sort = "blank" if is_space(c) else "unspaced" if is_unspaced(c) else "word"
        if sort == sort_before and sort != "unspaced":
            out[-1] += c
        else:
            out.append(c)
        sort_before = sort
    return out


def goes(word: str, strings: list[str], most: int) -> bool:
    bare = word
    while bare and is_special(bare[0]):
        bare = bare[1:]
    while bare and is_special(bare[-1]):
        bare = bare[:-1]
    long = most > 0 and len(word) > most and (not bare or len(bare) > most)
    return long or any(string in bare for string in strings)


def without_words(text: str, strings: list[str], most: int) -> tuple[str | None, int]:
    lines, count = [], 0
    for line in text.split("\n"):
        kept, stayed, went = [], 0, 0
        skip = False
        for token in tokens(line):
            if is_space(token[0]):
                if not skip:
                    kept.append(token)
                skip = False
            elif is_unspaced(token[0]) or not goes(token, strings, most):
                kept.append(token)
                stayed, skip = stayed + 1, False
            else:
                went += 1
                if stayed and kept and is_space(kept[-1][0]):
                    kept.pop()
                skip = not stayed
        count += went
        if stayed or not went:
            lines.append("".join(kept))
    return ("\n".join(lines) if count else None), count


def stop_words(line: str, stops: set[str]) -> int:
    written = [run.strip("".join(filter(is_special, run))) for run in tokens(line) if not is_space(run[0])]
    capitals = [run for run in written if len(run) == 1 and lower(run) != run]
    return sum(word in stops for word in words(line)) - sum(lower(capital) in stops for capital in capitals)


def trailer(text: str, stops: set[str] | None, share: float, min_lines: int) -> list[bool]:
    lines = text.split("\n")
    if stops is None:
        return [False] * len(lines)
    found = [words(line) for line in lines]
    good = [bool(w) and stop_words(line, stops) > len(w) * share for line, w in zip(lines, found, strict=True)]
    if True not in good:
        return [False] * len(lines)
    last = len(good) - 1 - good[::-1].index(True)
    behind = sum(bool(w) for w in found[last + 1 :])
    return [at > last and behind >= min_lines for at in range(len(lines))]
