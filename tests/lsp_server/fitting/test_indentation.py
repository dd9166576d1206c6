"""With what a document indents, and what a copied level becomes there."""

from pathlib import Path

import pytest

from lsp_server.fitting import editorconfig
from lsp_server.fitting.indentation import blanks_of, deepened, unit_of


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("a\n  b\n    c\n", "  "),
        ("a\n    b\n        c\n    d\n", "    "),
        ("a\n\tb\n\t\tc\n", "\t"),
        ("f(a,\n  b)\nif x:\n    y\nif z:\n    w\n", "    "),
        ("/*\n * a\n */\nb\n  c\n", "  "),
        ("a\nb\n", None),
    ],
)
def test_the_unit_of_some_lines(text: str, unit: str | None) -> None:
    assert unit_of(text.split("\n")) == unit


def test_levels_are_carried_over() -> None:
    assert blanks_of(8, "    ", "  ") == "    "
    assert blanks_of(4, "  ", "\t") == "\t\t"
    assert blanks_of(6, "    ", "\t") == "\t  "
    assert deepened("    ", 4, "    ", "  ") == "      "
    assert deepened("    ", -4, "    ", "  ") == "  "


CONFIG = """\
root = true

[*]
indent_style = space
indent_size = 4

[*.{ts,tsx}]
indent_size = 2

[Makefile]
indent_style = tab

[src/**.go]
indent_style = tab
"""


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("a.py", "    "),
        ("a/b.ts", "  "),
        ("a/b.tsx", "  "),
        ("x/Makefile", "\t"),
        ("src/a/b.go", "\t"),
        ("b.go", "    "),
    ],
)
def test_editorconfig(tmp_path: Path, path: str, unit: str) -> None:
    (tmp_path / editorconfig.NAME).write_text(CONFIG)
    assert editorconfig.unit(tmp_path, path) == unit


def test_a_nearer_editorconfig_comes_first_and_a_broken_one_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / editorconfig.NAME).write_text("[*]\nindent_style = tab\n")
    (tmp_path / "a" / editorconfig.NAME).write_text("[*]\nindent_style = space\nindent_size = 3\n")
    assert editorconfig.unit(tmp_path, "a/b.c") == "   "
    assert editorconfig.unit(tmp_path, "b.c") == "\t"
    (tmp_path / "a" / editorconfig.NAME).write_bytes(b"\xff\x00[{[\n=\n[{1..\nindent_size=x")
    assert editorconfig.unit(tmp_path, "a/b.c") == "\t"


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 12 + "b",
        "**a" * 12 + "b",
        "*" * 150 + "b",
        "{" + "*a," * 30 + "}b",
        "**/" * 30 + "*" + "a*" * 30,
        "?*" * 60,
    ],
)
def test_a_pattern_with_many_stars_holds_nothing_up(tmp_path: Path, pattern: str) -> None:
    """Each of these took minutes with every star tried at every length."""
    (tmp_path / editorconfig.NAME).write_text(f"[{pattern}]\nindent_size = 3\n" * 300 + "[*.none]\n")
    assert editorconfig.unit(tmp_path, "a/" * 20 + "a" * 60 + ".py") in (None, "   ")


def test_lines_that_begin_blocks_tell_the_unit_and_continued_lines_do_not() -> None:
    chained = "class A {\n  void f() {\n    assertThat(x)\n        .isEqualTo(\n            y);\n    g(a,\n        b);\n  }\n}"
    assert unit_of(chained.split("\n")) == "  "
    wide = "class A {\n    void f() {\n        g();\n    }\n}"
    assert unit_of(wide.split("\n")) == "    "
    hanging = "def f(x):\n    if x:\n        return g(\n            a,\n                b)\n    h(\n            x)"
    assert unit_of(hanging.split("\n")) == "    "
