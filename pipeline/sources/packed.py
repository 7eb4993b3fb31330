"""Source files inside an archive, judged as they come by.

    read_archive("src.tar.gz", url, lot=None, rules=Rules()) -> Record | Bad, one a source file, link or unsafe name

`row` is the number of the entry in the archive. The archive is passed over twice: once for the licence files, since one
may stand behind what it covers, and once for the files. Entries of no known language are not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.digest import coin
from pipeline.programming import by_name, by_shebang, has_no_extension, might_be
from pipeline.sources.archive import Entry, EntryDamage, entries, spelled, tidy, unsafe
from pipeline.sources.base import Bad, Record
from pipeline.sources.decompress import Damage
from pipeline.sources.licences import LONGEST, is_licence_file, nearest, recognise, together
from pipeline.sources.lines import excerpt
from pipeline.sources.lot import Lot
from pipeline.sources.program import Place, Rules, judge


def candidates(archive: str, url: str, rules: Rules) -> Iterator[tuple[str, int]]:
    """(path, bytes) of the files that would be taken if there were no cap."""
    try:
        for entry in entries(url):
            if entry.kind == "file" and not unsafe(entry.path) and _would_be_taken(entry, rules):
                yield _path(archive, entry), entry.size
    except Damage:
        return  # told when it is read


def _would_be_taken(entry: Entry, rules: Rules) -> bool:
    try:
        return _named(entry, rules)[0] is not None
    except EntryDamage:  # told when it is read; those behind it are sound
        return False


def read_archive(archive: str, url: str, lot: Lot | None, rules: Rules) -> Iterator[Record | Bad]:
    """A Record or a Bad for each entry that is source code, a link, a device, or named to lead astray."""
    by_folder = _licences(url)
    seen: set[int] = set()  # coins of names, since a tar may hold a name twice while a document's name is its own
    row = -1
    try:
        for row, entry in enumerate(entries(url)):
            found: Record | Bad | None = _refused(row, entry)
            if entry.kind == "file" and not found:
                found = _read(Place(row, _path(archive, entry), entry.offset), entry, by_folder, lot, rules)
            if found and found.path:
                name = coin(0, found.path)
                found = _again(row, entry) if name in seen else found
                seen.add(name)
            if found:
                yield found
    except Damage as damage:
        yield Bad(row + 1, damage.reason, damage.offset, damage.detail, breaks_off=True)


def _path(archive: str, entry: Entry) -> str:
    return f"{archive}/{spelled(tidy(entry.path))}"


def _refused(row: int, entry: Entry) -> Bad | None:
    """Names that lead out of the archive, and what is neither file nor folder. The ledger has them under the archive's
    own path, because their names need not be names of one thing."""
    name = excerpt(spelled(entry.path))
    if unsafe(entry.path):
        return Bad(row, "unsafe_path", entry.offset, f"leads out of the archive, not written: {name}")
    if entry.kind in ("link", "other"):
        what = "a link" if entry.kind == "link" else "a device or a sparse file"
        return Bad(row, "link", entry.offset, f"{what}: {name}", counts=False)
    if spelled(entry.path) != entry.path and by_name(entry.path):
        return Bad(row, "invalid_name", entry.offset, f"its name is not valid UTF-8: {name}")
    return None


def _again(row: int, entry: Entry) -> Bad:
    return Bad(row, "duplicate_name", entry.offset, f"an entry of this name came before: {entry.path}", counts=False)


def _read(place: Place, entry: Entry, by_folder: dict[str, str], lot: Lot | None, rules: Rules) -> Record | Bad | None:
    try:
        named, data = _named(entry, rules)
        if named is None or (lot and not lot.takes(place.path, entry.size)):
            return None
        if entry.size > rules.max_document:
            return place.too_large(entry.size, rules)
        data = entry.read(rules.max_document + 1) if data is None else data
    except EntryDamage as damage:
        return place.bad(damage.reason, damage.detail)
    return judge(place, data, named, nearest(tidy(entry.path), by_folder), rules)


def _named(entry: Entry, rules: Rules) -> tuple[str | None, bytes | None]:
    """The language by name, or by first line where there is no extension; then the data that had to be read for it."""
    data = None
    named = by_name(entry.path)
    if not named and has_no_extension(entry.path) and entry.size <= rules.max_document:
        data = entry.read(rules.max_document + 1)
        named = by_shebang(data)
    return (named if named and might_be(named, entry.path, rules.languages) else None), data


def _licence(entry: Entry) -> str | None:
    try:
        return recognise(entry.read(LONGEST).decode("utf-8", "replace"))
    except EntryDamage:  # those behind it are sound
        return None


def _licences(url: str) -> dict[str, str]:
    """{folder: SPDX expression} of the folders whose licence files are recognised."""
    by_folder: dict[str, list[str | None]] = {}
    try:
        for entry in entries(url):
            path = tidy(entry.path)
            if entry.kind == "file" and is_licence_file(path) and not by_name(path):
                by_folder.setdefault(path.rpartition("/")[0], []).append(_licence(entry))
    except Damage:
        pass  # told when the files are read
    return {folder: expression for folder, names in by_folder.items() if (expression := together(names))}
