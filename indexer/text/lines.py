"""Lines of text: their ends and their indentation.

A line ends with ``\\n``, ``\\r\\n`` or a lone ``\\r``, as in the language server protocol. Do not use
``str.splitlines`` on code: it splits at form feeds and other separators too.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # a name that type checkers take for true; `typing` takes .7 MB in each window's process
if TYPE_CHECKING:
    from typing import Final

TAB_COLUMNS: Final = 4
"""Columns that a tab counts for when two indentations are compared. The index stores indentations in these columns, and
the shipped ranker was fitted on them, so another value needs a new index format and a new fit."""

MAX_COLUMNS: Final = 254
"""The widest indentation, in columns, that is distinguished from wider ones; the index stores it in one byte."""

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


def lines_of(text: str) -> list[str]:
    """The lines of a text without their ends; a text that ends with a line end has an empty last line."""
    return unify_line_ends(text).split("\n")


def lines_with_ends(text: str) -> list[str]:
    """The lines of a text with their ends; joined they are the text, and an empty text has none."""
    if "\r" in text:
        return _LINE.findall(text)
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    if last:
        lines.append(last)
    return lines


def unify_line_ends(text: str) -> str:
    """The text with ``\\n`` for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def line_end(text: str) -> str:
    """The first line end of a text; ``\\n`` for a text of one line."""
    found = _LINE_END.search(text)
    return found[0] if found else "\n"


def leading_blanks(line: str) -> str:
    """The spaces and tabs at the start of a line."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def indent_of(line: str) -> int:
    """The width in columns of a line's indentation, at most ``MAX_COLUMNS``."""
    return columns(leading_blanks(line))


def columns(blanks: str) -> int:
    """The width in columns of a run of spaces and tabs, at most ``MAX_COLUMNS``."""
    return min(len(blanks) + (TAB_COLUMNS - 1) * blanks.count("\t"), MAX_COLUMNS)
