"""Finds the marks of one line: brackets, block words, tags and directives outside strings and comments.

What a line holds does not depend on where it stands, unless it begins within a string. So it is found once and kept:
after a jump of the cursor 350 lines are read, which costs 5 ms where their marks have to be found and 1 ms else.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from indexer.text.lines import columns, leading_blanks
from lsp_server.fitting.language_rules import LanguageRules

BRACKETS: Final = {"(": (")",), "[": ("]",), "{": ("}",)}

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
    """

    indent: int
    first: int
    head: str
    marks: tuple[Mark, ...] = ()
    span: int = -1
    unended: bool = False
    closes: bool = False
    comment: bool = False


@lru_cache(maxsize=KEPT)
def lexed(rules: LanguageRules, line: str) -> Lexed:
    """Return the marks of a line that begins in code."""
    return _lexed(rules, line, 0)


def lexed_within(rules: LanguageRules, line: str, span: int) -> Lexed:
    """Return the marks of a line that begins within a string or comment, given by its number."""
    end = rules.span_ends[span][1].search(line)
    return Lexed(0, 0, "", (), span) if end is None else _lexed(rules, line, end.end())


def _lexed(rules: LanguageRules, line: str, at: int) -> Lexed:
    marks: list[Mark] = []
    head = line.strip()
    blank = (columns(leading_blanks(line)), len(line) - len(line.lstrip()), head)
    while True:
        for match in rules.pattern.finditer(line, at):
            kind = match.lastgroup or ""
            if kind == "other":
                continue
            if kind == "span":
                span, at = _span(rules, match), match.end()
                break
            if kind == "comment":
                return Lexed(*blank, tuple(marks), closes=True, comment=True)
            if kind == "quote":
                return Lexed(*blank, tuple(marks), unended=not line.endswith("\\"))
            marks.append(_mark(rules, kind, match))
        else:
            return Lexed(*blank, tuple(marks), closes=head[-1:] in ("}", "d"))
        end = rules.span_ends[span][1].search(line, at)
        if end is None:
            return Lexed(*blank, tuple(marks), span)
        at = end.end()


def _span(rules: LanguageRules, match: re.Match[str]) -> int:
    return next((n for n, (begin, _) in enumerate(rules.span_ends) if begin.match(match.string, match.start())), 0)


def _mark(rules: LanguageRules, kind: str, match: re.Match[str]) -> Mark:
    text, start = match[0], match.start()
    if kind in ("string", "quoted"):
        return Mark("string", "", start)
    if kind == "heredoc":
        return Mark(kind, re.sub(r"\W", "", text), start)
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
