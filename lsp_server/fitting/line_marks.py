"""Finds the marks of one line: brackets, block words, tags and directives outside strings and comments.

What a line holds does not depend on where it stands, unless it begins within a string. So it is found once and kept:
after a jump of the cursor some 170 lines are read, which costs 1.5 ms where their marks have to be found and 0.4 ms
else.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from indexer.text.lines import columns
from lsp_server.fitting.language_rules import LanguageRules

BRACKETS: Final = {"(": (")",), "[": ("]",), "{": ("}",)}

_OPENING: Final = frozenset({"open", "tag", "word", "phrase"})
_CLOSING: Final = frozenset({"close", "endtag", "endword"})

KEPT: Final = 1 << 12
"""Lines whose marks are kept, about 600 bytes each: those around a dozen cursors. More of them grow for hours."""


class Mark(NamedTuple):
    """A mark of a line.

    :param kind: name of the group of ``LanguageRules.pattern``. :param text: the mark, without blanks around it; of one
        that closes, as ``closers`` spells it; of a heredoc, the word that ends it.
    :param start: column where it stands. :param closers: what closes it, if it opens something.
    """

    kind: str
    text: str
    start: int
    closers: tuple[str, ...] = ()


class Lexed(NamedTuple):
    """The marks of a line.

    :param indent: columns of its leading blanks; ``first`` is their number, ``head`` the rest of the line.
    :param span: number of the string or comment that goes on behind it, -1 for none.
    :param unended: whether a string has no end. :param closes: whether it ends with what may close a block.
    :param comment: whether it ends in a comment that ends with the line.
    :param neutral: whether it closes all that it opens and nothing else, and not at its end: nothing changes behind it.
    """

    indent: int
    first: int
    head: str
    marks: tuple[Mark, ...] = ()
    span: int = -1
    unended: bool = False
    closes: bool = False
    comment: bool = False
    neutral: bool = False


@lru_cache(maxsize=KEPT)
def lexed(rules: LanguageRules, line: str) -> Lexed:
    """Return the marks of a line that begins in code."""
    return _lexed(rules, line, 0)


def lexed_within(rules: LanguageRules, line: str, span: int) -> Lexed:
    """Return the marks of a line that begins within a string or comment, given by its number."""
    end = rules.span_ends[span][1].search(line)
    return Lexed(0, 0, "", (), span, neutral=True) if end is None else _lexed(rules, line, end.end())


def _lexed(rules: LanguageRules, line: str, at: int) -> Lexed:
    marks: list[Mark] = []
    span, unended, comment = -1, False, False
    while at >= 0:
        start, at = at, -1
        for match in rules.pattern.finditer(line, start):
            kind = match.lastgroup or ""
            if kind == "plain" or kind == "other":
                continue
            if kind == "span":
                span = _span(rules, match)
                end = rules.span_ends[span][1].search(line, match.end())
                span, at = (span, -1) if end is None else (-1, end.end())
                break
            if kind == "comment" or kind == "quote":
                comment, unended = kind == "comment", kind == "quote" and not line.endswith("\\")
                break
            marks.append(_mark(rules, kind, match))
    body = line.lstrip()
    head = body.rstrip()
    closes = comment or (span < 0 and not unended and head[-1:] in ("}", "d"))
    blanks = len(line) - len(body)
    indent = columns(line[:blanks]) if blanks else 0
    return Lexed(
        indent, blanks, head, tuple(marks), span, unended, closes, comment, not marks or _neutral(marks, closes)
    )


def _neutral(marks: list[Mark], closes: bool) -> bool:
    if closes and marks[-1].kind in _CLOSING:
        return False
    opened: list[Mark] = []
    for mark in marks:
        kind = mark.kind
        if kind in _OPENING:
            opened.append(mark)
        elif kind in _CLOSING:
            if not opened or mark.text not in opened.pop().closers:
                return False
        elif kind != "string":
            return False
    return not opened


def _span(rules: LanguageRules, match: re.Match[str]) -> int:
    return next((n for n, (begin, _) in enumerate(rules.span_ends) if begin.match(match.string, match.start())), 0)


def _mark(rules: LanguageRules, kind: str, match: re.Match[str]) -> Mark:
    text, start = match[0], match.start()
    if kind in ("string", "quoted"):
        return Mark("string", "", start)
    if kind == "heredoc":
        return Mark(kind, re.sub(r"^<<[~-]?\s*|[\"'\\]", "", text), start)
    if kind == "open":
        return Mark(kind, text, start, BRACKETS[text])
    if kind == "tag":
        return Mark(kind, text, start, ("</" + text[1:].lower(), "/>"))
    if kind in ("word", "phrase"):
        body = text.strip()
        return Mark(kind, body, start + text.index(body), rules.closers(match.string, start, text))
    if kind == "endtag":
        return Mark(kind, text if text == "/>" else text[:-1].rstrip().lower(), start)
    if kind == "endword":
        # Blanks and separators may stand before it, a second word behind it ("end if").
        body = text.lstrip(" \t;&")
        return Mark(kind, body.split()[0].lower(), start + len(text) - len(body))
    return Mark(kind, text, start)
