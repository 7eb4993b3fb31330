r"""Lines of a byte stream, none longer than a limit.

    lines([b"a\nb", b"c\n"], limit=100) -> (0, b"a"), (2, b"bc")       offset of the line, its bytes without "\n"
    lines([b"x" * 1000], limit=100)     -> (0, 1000)                   a longer line is measured, not held

The last line needs no line end. Where the stream breaks off (`Damage`), all complete lines come first and the
damage then carries the offset of the line that was cut. Never holds more than a line of `limit` bytes and a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.sources.decompress import Damage

BOM = b"\xef\xbb\xbf"
Line = tuple[int, bytes | int]  # offset, and the line or, where it is too long, its length


def lines(blocks: Iterable[bytes], limit: int) -> Iterator[Line]:
    """One pair a line. Raises `Damage` as `blocks` does, with the offset of the first line that is not complete."""
    offset = held = 0
    pending: list[bytes] = []  # pieces of the line that is being read; empty once it is too long
    try:
        for block in blocks:
            first, *whole = block.split(b"\n")
            held += len(first)
            if held <= limit:
                pending.append(first)
            else:
                pending.clear()
            if not whole:
                continue
            yield offset, b"".join(pending) if held <= limit else held
            offset += held + 1
            last = whole.pop()
            for line in whole:
                yield offset, line if len(line) <= limit else len(line)
                offset += len(line) + 1
            held = len(last)
            pending = [last] if held <= limit else []
    except Damage as damage:
        raise Damage(damage.reason, damage.detail, offset) from damage
    if held:
        yield offset, b"".join(pending) if held <= limit else held


def without_bom(line: bytes) -> bytes:
    """A file's first line without the byte order mark some editors put there."""
    return line.removeprefix(BOM)


def excerpt(data: bytes | str, width: int = 60) -> str:
    """The beginning of what could not be read, for a human: printable, at most `width` characters."""
    text = data[: 4 * width].decode("utf-8", "backslashreplace") if isinstance(data, bytes) else data[: 4 * width]
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"
