"""One run of one peer of extract.py, in a process and an environment of its own.

    python extract_peers.py WHO PAGES OUT.json       # a line of JSON on stdout: seconds, peak_mb, version, failed

PAGES names a page a line. Each is in memory, as bytes, before the clock starts; CPU time covers encoding detection,
parsing and extraction. OUT gets a text a page, "" where the peer gave none or failed. What each peer is asked for is
what its own documentation shows for main text without comments, tables kept.
"""

import gzip
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

Extractor = Callable[[bytes], str]


def seedbed(everything: bool = False) -> Extractor:
    from pipeline.sources.page import Wanted, read_page

    wanted = Wanted(main=not everything)
    return lambda page: getattr(read_page(page, None, wanted), "text", "")


def resiliparse(everything: bool = False) -> Extractor:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    def run(page: bytes) -> str:
        text = bytes_to_str(page, detect_encoding(page, from_html_meta=True))
        return extract_plain_text(text, main_content=not everything, comments=everything, alt_texts=False)

    return run


def trafilatura(fast: bool = False) -> Extractor:
    from trafilatura import extract

    return lambda page: extract(page, fast=fast, include_comments=False, include_tables=True) or ""


def justext() -> Extractor:
    import justext

    def run(page: bytes) -> str:
        # no stop list: the pages are in many languages, and a page's language is not known before its text
        settings = {"stopwords_low": 0, "stopwords_high": 0}
        paragraphs = justext.justext(page, frozenset(), **settings)
        return "\n".join(p.text for p in paragraphs if not p.is_boilerplate)

    return run


def readability() -> Extractor:
    from inscriptis import get_text
    from readability import Document

    return lambda page: get_text(Document(page).summary())


def inscriptis() -> Extractor:
    from inscriptis import get_text
    from lxml.html import document_fromstring

    def run(page: bytes) -> str:
        try:
            return get_text(page.decode())
        except UnicodeDecodeError:
            return get_text(document_fromstring(page).text_content())

    return run


PEERS: dict[str, tuple[str, Callable[[], Extractor]]] = {
    "seedbed": ("", seedbed),
    "seedbed, all": ("", lambda: seedbed(everything=True)),
    "resiliparse": ("Resiliparse", resiliparse),
    "resiliparse, all": ("Resiliparse", lambda: resiliparse(everything=True)),
    "trafilatura": ("trafilatura", trafilatura),
    "trafilatura, fast": ("trafilatura", lambda: trafilatura(fast=True)),
    "justext": ("jusText", justext),
    "readability-lxml": ("readability-lxml", readability),
    "inscriptis, all": ("inscriptis", inscriptis),
}


def main() -> None:
    who, pages, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    package, make = PEERS[who]
    run = make()
    held = [read(Path(line)) for line in pages.read_text("utf-8").splitlines()]
    attempt(run, b"<html><body><p>warm</p></body></html>")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    texts = [attempt(run, page) for page in held]
    seconds = time.process_time() - begin
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    out.write_text(json.dumps([text or "" for text in texts]), "utf-8")
    told = {"seconds": seconds, "peak_mb": peak, "version": version(package) if package else ""}
    print(json.dumps({**told, "failed": sum(text is None for text in texts)}))


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def attempt(run: Extractor, page: bytes) -> str | None:
    try:
        return re.sub("[\ud800-\udfff]", "", run(page))
    except Exception as error:  # noqa: BLE001 (a peer that fails on a page is counted, whatever it raises)
        print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)
        return None


if __name__ == "__main__":
    main()
