"""Writes a copied line with the quotes and the ends of statements that the document keeps.

Python and the languages of JavaScript leave a choice: single or double quotes, a semicolon behind a statement or none.
A copy from a file that chose otherwise is changed, as far as its meaning stays: only a string without quotes and
backslashes gets others. Where the document is undecided, nothing is changed.

This module knows strings alone.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Final

QUOTES: Final = "\"'"
DECIDED: Final = 4
"""Strings of one kind that a document needs; of the other it may have a tenth as many."""

STATEMENTS: Final = 8
"""Lines without a semicolon at their end that a document needs, with none that has one."""

LINES: Final = 200
"""Lines on either side of the cursor that are asked, at most."""

LONGEST: Final = 400
"""Characters of the longest line that is asked, or changed."""

SCRIPTS: Final = frozenset({"javascript", "typescript", "tsx"})
_COMMENTS: Final = {"python": "#", **dict.fromkeys(SCRIPTS, "//")}

# A string of one line with its prefix (f"…", r"…"), or a string that is not closed, or a comment.
_PARTS: Final = {
    mark: re.compile(rf"""(?P<comment>{mark}.*)|(?P<mark>["'`])(?P<text>(?:\\.|(?!(?P=mark)).)*)(?P<end>(?P=mark)?)""")
    for mark in ("#", "//")
}


class WrittenStyle:
    """The quotes and the ends of statements of the lines around a cursor.

    :param above: lines above the cursor. :param below: those below.
    """

    def __init__(self, language: str, above: Sequence[str], below: Sequence[str]) -> None:
        self._language, self._above, self._below = language, above, below
        comment = _COMMENTS.get(language)
        self._parts = _PARTS[comment] if comment else None

    def set(self, prefix: str, text: str) -> str:
        """Return the text with the document's quotes and without a semicolon that it would not have."""
        if self._parts is None or len(prefix) + len(text) > LONGEST:
            return text
        # To ask the lines takes 1.6 ms, and most texts have neither.
        if any(mark in text for mark in QUOTES) and self._quote is not None:
            text = self._requoted(prefix, text, self._quote)
        whole = prefix + text
        # A semicolon in the head of a loop ends no statement.
        if text.endswith(";") and self._bare and whole.count("(") == whole.count(")"):
            text = text[:-1]
        return text

    @cached_property
    def _lines(self) -> list[str]:
        return [line for line in (*self._above[-LINES:], *self._below[:LINES]) if len(line) <= LONGEST]

    @cached_property
    def _bare(self) -> bool:
        """Whether the document ends no statement with a semicolon."""
        return self._language in SCRIPTS and _without_semicolons(self._lines)

    @cached_property
    def _quote(self) -> str | None:
        """The quote that the document keeps; None where it is undecided."""
        assert self._parts is not None
        count = dict.fromkeys(QUOTES, 0)
        for line in self._lines:
            for part in self._parts.finditer(line):
                if part["end"] and part["mark"] in QUOTES and self._free(line, part):
                    count[part["mark"]] += 1
        most = max(QUOTES, key=count.__getitem__)
        others = sum(count.values()) - count[most]
        return most if count[most] >= DECIDED and others * 10 <= count[most] else None

    def _requoted(self, prefix: str, text: str, quote: str) -> str:
        assert self._parts is not None
        other = QUOTES.replace(quote, "")
        whole = prefix + text
        if other not in text or other * 3 in whole or quote * 3 in whole:
            return text
        marks = list(whole)
        for part in self._parts.finditer(whole):
            begin, end = part.span()
            if part["mark"] == other and begin >= len(prefix) and self._free(whole, part):
                marks[begin] = quote
                if part["end"]:
                    marks[end - 1] = quote
            elif part["mark"] == quote and begin < len(prefix) < end and not part["end"]:
                closing = _closing(whole, begin, other)
                if closing is not None:
                    marks[closing] = quote
        return "".join(marks[len(prefix) :])

    def _free(self, line: str, part: re.Match[str]) -> bool:
        """Return whether a string may have either quote: no mark within it, and no attribute of a tag."""
        plain = not re.search(r"[\"'`\\]", part["text"])
        return plain and not (self._language in SCRIPTS and line[: part.start()].endswith("="))


def _closing(line: str, begin: int, mark: str) -> int | None:
    """Return where a copy ends the string that was begun with another mark; an apostrophe has a letter behind it."""
    at = line.find(mark, begin)
    return at if line.count(mark, begin) == 1 and not line[at + 1 : at + 2].isalnum() else None


def _without_semicolons(lines: Sequence[str]) -> bool:
    """Return whether a document ends no statement with a semicolon."""
    ends = [line.rstrip()[-1] for line in lines if line.strip() and not line.strip().startswith(("//", "*", "/*"))]
    return ";" not in ends and sum(end.isalnum() or end in ")'\"`" for end in ends) >= STATEMENTS
