import pytest

from pipeline.programming import LANGUAGES, ROOTS, by_name, by_shebang, might_be, settle


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"), ("x.C", "cpp"), ("x.H", "cpp"), ("x.c", "c"), ("x.h", "c"), ("x.h++", "cpp"),
        ("x.php5", "php"), ("x.tsx", "typescript"), ("x.JAVA", "java"), ("x.cs", "csharp"), ("x.scala", "scala"),
        ("Makefile", "make"), ("a/Rakefile", "ruby"), ("CMakeLists.txt", "cmake"),
        (".py", None), ("x", None), ("x.m", None), ("a.py/x", None), ("x.unknown", None), ("py", None),
    ],
)  # fmt: skip
def test_a_name_tells_the_language(path, language):
    assert by_name(path) == language


@pytest.mark.parametrize(
    ("head", "language"),
    [
        (b"#!/usr/bin/env python3.11\nx", "python"), (b"#! /bin/sh -e\n", "shell"), (b"#!/usr/bin/perl5.36", "perl"),
        (b"#!/usr/bin/env -S node --flag\n", "javascript"), (b"#!/usr/bin/env PATH=x ruby\n", "ruby"),
        (b"#!/usr/local/bin/lua5.4\r\n", "lua"), (b"#!/opt/strange\n", None), (b"# no shebang\n", None), (b"", None),
        (b"#!\n/bin/sh", None), (b"#!/bin/\xff", None),
    ],
)  # fmt: skip
def test_a_first_line_tells_the_language(head, language):
    assert by_shebang(head) == language


@pytest.mark.parametrize(
    ("data", "language"),
    [
        (b"struct a { int class_id; };\nint f(void);\n", "c"),
        (b"/* a class of things */\n#include <string.h>\n", "c"),
        (b"#pragma once\nnamespace x {\n}\n", "cpp"),
        (b"template <typename T> struct S;\n", "cpp"),
        (b"int f(std::string s);\n", "cpp"),
        (b"#include <vector>\n", "cpp"),
        (b"  class A;\n", "cpp"),
    ],
)
def test_a_header_is_cpp_where_it_uses_what_only_cpp_has(data, language):
    assert settle("c", "x.h", data) == language
    assert settle("c", "x.c", data) == "c"


def test_a_translation_of_qt_is_no_typescript():
    assert settle("typescript", "x.ts", b'<?xml version="1.0"?><TS>') is None
    assert settle("typescript", "x.ts", b"let x = 1;") == "typescript"


def test_a_header_may_be_wanted_as_either():
    assert might_be("c", "x.h", frozenset(["cpp"]))
    assert not might_be("c", "x.c", frozenset(["cpp"]))


def test_the_languages_of_roots_are_known():
    assert len(ROOTS) == 13
    assert set(ROOTS) <= LANGUAGES
