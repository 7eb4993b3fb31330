"""Which programming language a file is in: by its name, its first line, and for C headers by what stands in them.

    by_name("src/main.rs")            -> "rust"          None where the name does not tell
    by_shebang(b"#!/usr/bin/env python3") -> "python"
    settle("c", "a.h", b"namespace x {")  -> "cpp"       a `.h` is C++ where it uses what only C++ has, else C

The thirteen languages of ROOTS are c, cpp, csharp, go, java, javascript, lua, php, python, ruby, rust, scala and
typescript; upper-case `.C` and `.H` are C++, as ROOTS had it. Extensions that several languages share (`.m`, `.v`) are
left out: what is not known is not guessed.
"""

from __future__ import annotations

import re

ROOTS = (
    "c", "cpp", "csharp", "go", "java", "javascript", "lua", "php", "python", "ruby", "rust", "scala", "typescript",
)  # fmt: skip
EXTENSIONS_OF = {
    "c": "c h",
    "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp tpp inl",
    "csharp": "cs",
    "go": "go",
    "java": "java",
    "javascript": "js mjs cjs jsx",
    "lua": "lua",
    "php": "php php3 php4 php5 php7 phps phpt phtml",
    "python": "py pyi pyw pyx",
    "ruby": "rb rake gemspec",
    "rust": "rs",
    "scala": "scala sc",
    "typescript": "ts tsx mts cts",
    "ada": "adb ads",
    "awk": "awk",
    "clojure": "clj cljs cljc",
    "cmake": "cmake",
    "cuda": "cu cuh",
    "dart": "dart",
    "elixir": "ex exs",
    "elm": "elm",
    "erlang": "erl hrl",
    "fortran": "f90 f95 f03 f08",
    "fsharp": "fs fsi fsx",
    "groovy": "groovy gradle",
    "haskell": "hs lhs",
    "julia": "jl",
    "kotlin": "kt kts",
    "lisp": "lisp el",
    "nim": "nim",
    "nix": "nix",
    "ocaml": "ml mli",
    "pascal": "pas dpr",
    "perl": "pl pm",
    "powershell": "ps1 psm1",
    "protobuf": "proto",
    "r": "r",
    "racket": "rkt",
    "scheme": "scm ss",
    "shell": "sh bash zsh ksh fish",
    "solidity": "sol",
    "sql": "sql",
    "swift": "swift",
    "tcl": "tcl",
    "vhdl": "vhd vhdl",
    "vim": "vim",
    "zig": "zig",
}
BY_EXTENSION = {extension: language for language, names in EXTENSIONS_OF.items() for extension in names.split()}
BY_FILE_NAME = {
    "makefile": "make", "gnumakefile": "make", "dockerfile": "docker", "cmakelists.txt": "cmake", "rakefile": "ruby",
    "gemfile": "ruby", "vagrantfile": "ruby", "sconstruct": "python", "jenkinsfile": "groovy",
}  # fmt: skip
BY_INTERPRETER = {
    "python": "python", "sh": "shell", "bash": "shell", "dash": "shell", "zsh": "shell", "ksh": "shell",
    "fish": "shell", "perl": "perl", "ruby": "ruby", "node": "javascript", "nodejs": "javascript", "deno": "typescript",
    "php": "php", "lua": "lua", "luajit": "lua", "awk": "awk", "gawk": "awk", "tclsh": "tcl", "wish": "tcl",
    "rscript": "r", "scala": "scala", "groovy": "groovy",
    "julia": "julia", "runghc": "haskell", "runhaskell": "haskell",
    "make": "make", "escript": "erlang", "elixir": "elixir", "ocaml": "ocaml", "guile": "scheme", "racket": "racket",
    "pwsh": "powershell", "swift": "swift",
}  # fmt: skip
LANGUAGES = frozenset(BY_EXTENSION.values()) | frozenset(BY_FILE_NAME.values()) | frozenset(BY_INTERPRETER.values())

SHEBANG = re.compile(rb"#![ \t]*(?:\S*/)?env[ \t]+(?:-\S+[ \t]+|\w+=\S*[ \t]+)*(\S+)|#![ \t]*(\S+)")
CPP_ONLY = re.compile(
    rb"^[ \t]*(?:class[ \t]+\w|namespace\b|template[ \t]*<|using[ \t]+\w|public:|private:|protected:|"
    rb"virtual[ \t]|constexpr[ \t]|#[ \t]*include[ \t]*<(?:iostream|string|vector|map|memory|utility)>)|\bstd::",
    re.MULTILINE,
)


def by_name(path: str) -> str | None:
    """The language that a file's name tells; a `.h` counts as c until `settle` has seen it."""
    name = path.rsplit("/", 1)[-1]
    stem, dot, extension = name.rpartition(".")
    if stem and dot and extension in ("C", "H"):
        return "cpp"
    return BY_FILE_NAME.get(name.lower()) or (BY_EXTENSION.get(extension.lower()) if stem and dot else None)


def has_no_extension(path: str) -> bool:
    """Whether only its first line can tell what a file is."""
    return "." not in path.rsplit("/", 1)[-1]


def by_shebang(head: bytes) -> str | None:
    """The language of the interpreter that the first line calls, its version cut off: python3.11 -> python."""
    match = SHEBANG.match(head.split(b"\n", 1)[0])
    if not match:
        return None
    program = (match[1] or match[2]).rsplit(b"/", 1)[-1].decode("ascii", "replace").lower()
    return BY_INTERPRETER.get(re.sub(r"[\d.-]+$", "", program))


def settle(language: str, path: str, data: bytes) -> str | None:
    """The language, now that the file is at hand; None where the name misled (Qt's translations are `.ts` too)."""
    if language == "c" and path.endswith(".h") and CPP_ONLY.search(data):
        return "cpp"
    if language == "typescript" and data[:64].lstrip().startswith((b"<?xml", b"<!DOCTYPE")):
        return None
    return language


def might_be(named: str, path: str, wanted: frozenset[str] | None) -> bool:
    """Whether a file of that name can turn out to be in one of the wanted languages (None: in any)."""
    return wanted is None or named in wanted or (path.endswith(".h") and "cpp" in wanted)
