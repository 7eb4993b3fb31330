"""Make two real corpora from Debian's own packages: documentation in many languages, and source code.

    python benchmarks/corpora.py OUT [--only docs|code] [--limit-mb N]

    OUT/docs.jsonl   some 67,000 pages of manuals and help, 240 MB of text
    OUT/code.jsonl   some 95,000 source files in the programming languages of ROOTS, 480 MB

Each line is {"text", "meta": {"lang", "source", "path"}}; the language is the package's claim. Nothing is cleaned:
translations that repeat each other, pages left in English, licence headers and generated code are in it as they come.
Packages come through the machine's own `apt`; those it does not know are named and left out. OUT/work holds what was
unpacked (4 GB) and can be deleted.
"""

import argparse
import gzip
import html
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HELP = ["ca", "en-us", "es", "eu", "fr", "hi", "id", "pt", "pt-br", "vi", "zh-cn", "zh-tw", "de", "it", "ru", "ja"]
MANUALS = ["fr", "es", "pt-br", "zh", "de", "ru", "ja", "it", "nl", "pl", "tr", "hu", "cs", "ro"]
REFERENCE = ["en", "fr", "es", "pt", "zh-cn", "zh-tw"]
DOCS = [
    *(f"libreoffice-help-{lang}" for lang in HELP),
    *(f"manpages-{lang}" for lang in MANUALS),
    *(f"debian-reference-{lang}" for lang in REFERENCE),
    *("manpages", "manpages-dev", "gnome-user-docs", "debian-handbook", "installation-guide-amd64"),
    *("python3.11-doc", "anarchism"),
]
CODE = [
    *("golang-1.19-src", "rust-src", "libboost1.81-dev", "php-symfony-http-kernel", "php-symfony-console"),
    *("prosody", "prosody-modules", "lua-penlight", "libjs-three"),
]
CODE_SOURCES = ["scala", "sqlite3", "curl", "guava-libraries", "rails", "keepass2", "node-typescript", "lua-lpeg"]

CHINESE = {"zh": "zh-hans", "zh-cn": "zh-hans", "zh-tw": "zh-hant"}
EXTENSIONS = {
    **dict.fromkeys([".c", ".h"], "c"),
    **dict.fromkeys([".cc", ".cpp", ".hpp", ".cxx"], "cpp"),
    **dict.fromkeys([".js", ".mjs"], "javascript"),
    **dict.fromkeys([".ts", ".tsx"], "typescript"),
    ".cs": "csharp",
    ".go": "go",
    ".java": "java",
    ".lua": "lua",
    ".php": "php",
    ".py": "python",
    ".rb": "ruby",
    ".rs": "rust",
    ".scala": "scala",
}
APT = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
LEAST_CHARACTERS = 200  # of a page of documentation
MOST_BYTES = 1 << 20  # of a source file

Record = tuple[str, str, str, str]  # text, language, source, path


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("out", type=Path)
    ask.add_argument("--only", choices=["docs", "code"], help="make one of the two")
    ask.add_argument("--limit-mb", type=int, default=1_000_000, help="stop each file at this size")
    args = ask.parse_args()
    work = args.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    if args.only != "code":
        pages = (record for root in packages(DOCS, work / "docs") for record in documentation(root))
        write(args.out / "docs.jsonl", pages, args.limit_mb)
    if args.only != "docs":
        roots = [*packages(CODE, work / "code"), *source_packages(CODE_SOURCES, work / "code-sources")]
        files = (record for root in [*roots, Path("/usr/lib/python3")] for record in source_files(root))
        write(args.out / "code.jsonl", files, args.limit_mb)


def write(path: Path, records: Iterable[Record], limit_mb: int) -> None:
    """JSON lines, until the records or the limit end."""
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for text, lang, source, where in records:
            meta = {"lang": lang, "source": source, "path": where}
            written += file.write(json.dumps({"text": text, "meta": meta}, ensure_ascii=False) + "\n")
            if written > limit_mb * 1_000_000:
                break
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB", file=sys.stderr)


def packages(names: list[str], into: Path) -> list[Path]:
    """Folders of these binary packages, downloaded and unpacked where they are not yet; sorted."""
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run([*APT, "update"], capture_output=True)
    for name in names:
        if (into / name).exists():
            continue
        subprocess.run([*APT, "download", name], cwd=into, capture_output=True)
        archives = sorted(into.glob(f"{name}_*.deb"))
        if not archives:
            left_out(name)
        for archive in archives:
            subprocess.run(["dpkg-deb", "-x", str(archive), str(into / name)], check=True)
            archive.unlink()
    return sorted(into / name for name in names if (into / name).exists())


def source_packages(names: list[str], into: Path) -> list[Path]:
    """Folders of the upstream archives of these source packages, likewise."""
    into.mkdir(parents=True, exist_ok=True)
    options = source_lists(into)
    subprocess.run([*APT, *options, "update"], capture_output=True)
    for name in names:
        folder = into / name
        if folder.exists():
            continue
        subprocess.run([*APT, *options, "source", "--download-only", name], cwd=into, capture_output=True)
        archives = sorted(into.glob("*.tar.*"))
        upstream = [path for path in archives if ".orig" in path.name and path.suffix != ".asc"]
        for archive in upstream:  # it is all we want: whether Debian's own part came too does not matter
            folder.mkdir(exist_ok=True)
            subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
        if not upstream:
            left_out(f"{name} (source)")
        for archive in archives:
            archive.unlink()
    return sorted(into / name for name in names if (into / name).exists())


def left_out(name: str) -> None:
    print(f"not available, left out: {name}", file=sys.stderr)


def source_lists(folder: Path) -> list[str]:
    """Options that let apt see sources too: the machine's own lists, said again for `deb-src`, in a folder of ours."""
    lines = []
    etc = Path("/etc/apt")
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        text = path.read_text("utf-8") if path.is_file() else ""
        lines += [re.sub(r"^deb\s", "deb-src ", line) for line in text.splitlines() if re.match(r"deb\s", line)]
        for stanza in re.split(r"\n\s*\n", text):
            keys = dict(re.findall(r"(?m)^(URIs|Suites|Components|Signed-By):\s*(.+)$", stanza))
            if {"URIs", "Suites", "Components"} <= set(keys):
                signed = f"[signed-by={keys['Signed-By']}] " if "Signed-By" in keys else ""
                lines += [
                    f"deb-src {signed}{keys['URIs']} {suite} {keys['Components']}" for suite in keys["Suites"].split()
                ]
    (folder / "sources.list").write_text("\n".join(dict.fromkeys(lines)) + "\n", "utf-8")
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    settings = {"sourcelist": folder / "sources.list", "sourceparts": "/dev/null"}
    options = [f"Dir::Etc::{key}={value}" for key, value in settings.items()] + [
        f"Dir::State::lists={folder / 'lists'}"
    ]
    return [part for option in options for part in ("-o", option)]


def documentation(root: Path) -> Iterator[Record]:
    """Pages of a documentation package: manual pages, and HTML, Mallard and DocBook files without their tags."""
    for path in files_under(root):
        where = path.relative_to(root).as_posix()
        if root.name.startswith("manpages") and "/man/" in where:
            text, claim, source = plain_manual(path), manual_language(where), "manpages"
        elif path.suffix in {".html", ".page", ".xml"}:
            text = plain_markup(path.read_text("utf-8", "replace"))
            claim, source = page_language(root.name, where)
        else:
            continue
        if len(text) >= LEAST_CHARACTERS:
            yield text, language(claim), source, where


def source_files(root: Path) -> Iterator[Record]:
    for path in files_under(root):
        if path.suffix in EXTENSIONS and path.stat().st_size <= MOST_BYTES:
            text = path.read_text("utf-8", "replace")
            yield text, EXTENSIONS[path.suffix], root.name, path.relative_to(root).as_posix()


def files_under(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def manual_language(where: str) -> str:
    part = where.split("/man/")[1].split("/")[0]
    return "en" if part.startswith("man") else part


def page_language(package: str, where: str) -> tuple[str, str]:
    """(language as the package writes it, source)"""
    if named := re.fullmatch(r"(libreoffice-help|debian-reference)-(.+)", package):
        return named[2], named[1]
    found = re.search(r"/(?:html|help|installation-guide-amd64)/([a-z]{2,3}(?:[_-][A-Za-z]+)?)/", where)
    return (found[1] if found else "en"), package


def language(claim: str) -> str:
    claim = claim.lower().replace("_", "-")
    return CHINESE.get(claim) or claim.split("-")[0].split("@")[0].split(".")[0]


def plain_markup(page: str) -> str:
    page = re.sub(r"(?is)<(script|style|head)\b.*?</\1>|<!--.*?-->", " ", page)
    page = re.sub(r"(?i)<(br|p|div|li|tr|h\d|pre|td|dt|dd|title|section)\b[^>]*>", "\n", page)
    page = re.sub(r"[ \t]+", " ", html.unescape(re.sub(r"<[^>]+>", "", page)))
    return re.sub(r"\n\s*\n+", "\n\n", page).strip()


def plain_manual(path: Path) -> str:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    page = re.sub(r"(?m)^[.']\\\".*$", "", data.decode("utf-8", "replace"))
    page = re.sub(r"(?m)^[.'][A-Za-z]{1,3} ?", "", page)
    return re.sub(r"\\f[BIRP]|\\-|\\&|\\\(..", "", page)


if __name__ == "__main__":
    main()
