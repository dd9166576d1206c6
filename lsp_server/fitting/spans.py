"""Finds out whether text stands within a string whose beginning and end look alike, as in Go, TypeScript and Python."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from lsp_server.fitting.language_rules import LanguageRules
from lsp_server.fitting.marks import START, LineReader

READ_TWICE: Final = 60
"""Lines that are read to find out whether they begin within a string."""

_ALIKE: Final = ('"""', "'''", "`")


_PAIRS: Final = {r"/\*": ("/*", "*/"), "<!--": ("<!--", "-->")}
"""Patterns of beginnings of comments -> their marks."""

COMMENT_CHARACTERS: Final = 20_000
"""Characters above the lines that are read in which a comment that goes on there may begin."""

SCANNED_CHARACTERS: Final = 60_000
"""Characters above the lines that are read which are scanned if they hold marks: 1 ms, once in some sixty lines."""

_OPENS: Final = re.compile(r"(?:[=(,\[{:?]|=>|\breturn)\s*[A-Za-z]{0,2}$|^\s*[A-Za-z]{0,2}$")


def opens_again(mark: str, lines: Sequence[str]) -> bool:
    """Return whether the first such mark in lines begins a string and ends none, as far as its line tells.

    :param mark: begins a string and ends it.
    """
    last = ""
    for line in lines:
        before, found, behind = line.partition(mark)
        if found:
            if mark in behind:
                return True  # begun and ended on one line
            return _OPENS.search(before) is not None and (bool(before.strip(" rbuRBU")) or last[-1:] == ":")
        last = line.strip() or last
    return False


def begins_within(span: int, lines: Sequence[str], rules: LanguageRules, known: bool | None = None) -> bool:
    """Return whether lines begin within a string.

    They are read both ways. The right one finds fewer strings without an end, and fewer lines within strings.

    :param span: the string's number. :param known: the answer where both ways are alike; None: an odd number of marks
        in the lines tells.
    """
    marks = sum(len(rules.span_ends[span][1].findall(line)) for line in lines)
    read = []
    for state in (replace(START, span=span), START):
        faults = inside = 0
        reader = LineReader(rules, [])
        for line in lines[:READ_TWICE]:
            state = reader.read(line, state)
            faults, inside = state.faults, inside + (state.span >= 0)
        read.append((faults, inside if marks > 1 else 0))
    if read[0] != read[1]:
        return read[0] < read[1]
    return marks % 2 == 1 if known is None else known


def open_span(
    text: str, lines: Sequence[str], rules: LanguageRules, count: Callable[[str, str], int] = str.count
) -> int:
    """Return the number of the string that is open between a text and the lines that follow it, -1 for none.

    The number of marks in the text is not enough, since one may stand in a comment: the text is scanned, or the lines
    must agree.

    :param count: says how often a text holds a mark.
    """
    for span, (begin, _) in enumerate(rules.span_ends):
        if begin.pattern in _PAIRS:
            if _in_comment(text, lines, *_PAIRS[begin.pattern]):
                return span
        elif begin.pattern in _ALIKE and (marks := count(text, begin.pattern)):
            scanner = _scanner(rules) if len(text) <= SCANNED_CHARACTERS else None
            if scanner is not None:
                return _open_at_end(text, scanner, rules)
            if marks % 2 and begins_within(span, lines, rules, True):
                return span
    return -1


@lru_cache(64)
def _scanner(rules: LanguageRules) -> re.Pattern[str] | None:
    """Return the pattern of a whole comment or string, also of one that the text's end cuts off; None where code holds
    other text with quotes: regular expressions, and templates with code in them."""
    if any(begin == "`" and "'" in rules.quotes for begin, _ in rules.spans):
        return None
    parts = [f"(?:{comment})" for comment in rules.comments]
    for begin, end in rules.spans:
        escaped = r"\\.|" if end.startswith(r"(?<!\\)") else ""
        mark = end.removeprefix(r"(?<!\\)")
        if begin in _ALIKE or begin in _PAIRS:
            parts.append(rf"{begin}(?:{escaped}(?!{mark})[\s\S])*(?:{mark}|(?P<open{len(parts)}>\Z))")
    parts += [rf"{quote}(?:\\.|[^{quote}\\\n])*{quote}?" for quote in rules.quotes]
    return re.compile("|".join(parts), re.MULTILINE)


def _open_at_end(text: str, scanner: re.Pattern[str], rules: LanguageRules) -> int:
    """Return the number of the string or comment that a text leaves open, read from its beginning; -1 for none."""
    for found in scanner.finditer(text):
        if found.lastgroup is not None and found.end() == len(text):
            return next((n for n, (begin, _) in enumerate(rules.span_ends) if begin.match(found[0])), -1)
    return -1


def _in_comment(text: str, lines: Sequence[str], begin: str, end: str) -> bool:
    """Return whether a comment goes on from a text to the lines below it, which end it."""
    first = next((line for line in lines if begin in line or end in line), "")
    if end not in first.partition(begin)[0]:
        return False
    least = max(0, len(text) - COMMENT_CHARACTERS)
    return text.rfind(begin, least) > text.rfind(end, least)
