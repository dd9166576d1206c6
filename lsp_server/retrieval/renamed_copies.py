"""Derives copies with other names from matches whose code has the form of the code before the cursor.

The tokens before the match and before the cursor are compared backwards, as far as they are equal or both words. Each
pair of different words is a renaming. Applied to what follows the match, to whole words and to parts of words, it gives
a candidate that stands nowhere literally: ``self.height = height`` after ``self.width = width``, ``case Red: return
"red"`` after ``case Blue: return "blue"``.

This module does not judge the result; the ranker does.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from indexer.text.particles import fitting, split
from indexer.text.terms import IDENTIFIER_PART, identifier_parts
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.cursor import CursorContext
from lsp_server.retrieval.matches import (
    NO_SEARCH_RANK,
    DerivedMatches,
    Matches,
    MatchSource,
    SourceText,
    SourceTexts,
    line_lengths,
    window_of,
)
from lsp_server.spellings import SHORT, respellings, with_parts

FORM_MINIMUM: Final = 5
"""Tokens of common form that a match needs."""

FORM_DEPTH: Final = 24
"""Tokens that are compared, at most."""

LIMIT: Final = 40
"""Matches that are renamed, at most; those of the longest common form first."""

READ_LIMIT: Final = 3
"""Texts of the index that are read for it, at most, if no earlier key has read them; each takes 0.2 to 0.5 ms, and six
instead of three gave the same suggestions at 4,431 keys of a million lines."""

NEARBY: Final = 200
"""Lines above and below a match on which a name is looked for."""

LINE_KEPT: Final = 300
"""Characters of a line whose tokens are kept, at most."""

_COMMENTS: Final = frozenset({"//", "///", "#", "*", "/*", "/**", "--", ";", ";;"})
"""Tokens with which a line of a comment begins."""

_WORD = re.compile(r"[^\W\d]\w*")


def renamed_copies(cursor: CursorContext, matches: Matches, texts: SourceTexts) -> DerivedMatches | None:
    """Return renamed copies of the matches that have the cursor's form; None where there are none."""
    targets = [_tokens_before_cursor(cursor, reading.typed) for reading in cursor.readings]
    copies: list[_Copy] = []
    read = 0
    for row in _promising(matches):
        number = int(matches.text[row])
        if not texts.is_read(number):
            read += 1
            if read > READ_LIMIT:
                continue
        text, line, token = texts[number], int(matches.line[row]), int(matches.token[row])
        before = _tokens_before(text, line, token)
        form, names = _renaming(before, targets[int(matches.reading[row])])
        for word in _capitals(names) & set(before[: before.index("\n")] if "\n" in before else before):
            del names[word]
        if form < FORM_MINIMUM or not names:
            continue
        rest = text.rest_of_line(line, token)
        prose = _words_of_comments(before, names)
        rest, changes = apply(rest, names, prose, _used_nearby(rest, prose, text, line) if prose else ())
        if changes:
            copies.append(_Copy(row, rest, form, changes))
    if not copies:
        return None
    return DerivedMatches(_as_matches(matches, copies), [copy.rest for copy in copies])


@dataclass(frozen=True, slots=True)
class _Copy:
    """A renamed match.

    :param row: of the match. :param form: length of the common form. :param changes: words that were renamed.
    """

    row: int
    rest: str
    form: int
    changes: int


def _as_matches(matches: Matches, copies: Sequence[_Copy]) -> Matches:
    rows = np.array([copy.row for copy in copies])
    removed = matches.source[rows] == MatchSource.REMOVED
    return Matches(
        reading=matches.reading[rows],
        source=np.full(len(rows), int(MatchSource.RENAMED)),
        length=matches.length[rows],
        weight=np.ones(len(rows)),
        text=matches.text[rows],
        line=matches.line[rows],
        token=matches.token[rows],
        hit=np.where(removed, matches.hit[rows], NO_SEARCH_RANK),
        indent=matches.indent[rows],
        previous=matches.previous[rows],
        form=np.array([copy.form for copy in copies], np.int64),
        changes=np.array([copy.changes for copy in copies], np.int64),
        window=np.array([window_of(copy.rest) for copy in copies], np.uint32),
    )


def _promising(matches: Matches) -> list[int]:
    """Return the matches to rename: removed lines first, then the longest form, then the nearest source."""
    rows = np.flatnonzero(
        (matches.form >= FORM_MINIMUM) & (matches.form > matches.length) & (line_lengths(matches.window) > 0)
    )
    removed = matches.source[rows] == MatchSource.REMOVED
    order = np.lexsort((matches.source[rows], -matches.length[rows], -matches.form[rows], ~removed))[:LIMIT]
    chosen: list[int] = rows[order].tolist()
    return chosen


def _tokens_before_cursor(cursor: CursorContext, typed: Sequence[int]) -> list[str]:
    """Return the tokens before the cursor, the nearest first."""
    tokens = TOKEN.findall(cursor.prefix)[: len(typed)][::-1]
    return _with_lines_before(tokens, cursor.line_context.before.lines, len(cursor.line_context.before.lines))


def _tokens_before(text: SourceText, line: int, token: int) -> list[str]:
    """Return the tokens before a match, the nearest first."""
    tokens = list(_tokens(text.lines[line])[:token][::-1])
    return _with_lines_before(tokens, text.lines, line)


def _with_lines_before(tokens: list[str], lines: Sequence[str], line: int) -> list[str]:
    while len(tokens) < FORM_DEPTH and line > 0:
        line -= 1
        before = _tokens(lines[line])
        if before:
            tokens.append("\n")
            tokens += before[::-1]
    return tokens[:FORM_DEPTH]


def _tokens(line: str) -> Sequence[str]:
    return _kept_tokens(line) if len(line) <= LINE_KEPT else TOKEN.findall(line)


@lru_cache(maxsize=2_000)
def _kept_tokens(line: str) -> tuple[str, ...]:
    """Return the tokens of a line; at the next key the same lines are asked for."""
    return tuple(TOKEN.findall(line))


def _renaming(source: list[str], target: list[str]) -> tuple[int, dict[str, str]]:
    """Return the length of the common form, and the cursor's names for the source's words."""
    names: dict[str, str] = {}
    form = 0
    for one, other in zip(source, target, strict=False):
        if one != other:
            if not (_WORD.fullmatch(one) and _WORD.fullmatch(other)):
                break
            # The nearest pair counts: further up, the same word may have meant something else.
            names.setdefault(one, other)
        else:
            names.setdefault(one, one)
        form += 1
    names = {one: other for one, other in names.items() if one != other}
    parts: dict[str, str] = {}
    for one, other in names.items():
        for a, b in changed_parts(one, other):
            parts.setdefault(a, b)
    return form, {**{f"\0{a}": b for a, b in parts.items()}, **names}


def _words_of_comments(tokens: Sequence[str], names: Collection[str]) -> set[str]:
    """Return the words that are renamed and stand as ordinary words in comments alone.

    Such a word is no part of a name that stands on other lines too: "disables the input" below "clears the renderer"
    makes no ``cursedInput`` of ``cursedRenderer``. It is one of ``getWidth`` below "returns the width".

    :param tokens: before the match, the nearest first.
    """
    found: set[str] = set()
    elsewhere: set[str] = set()
    end = 0
    while end <= len(tokens):
        start = end
        while end < len(tokens) and tokens[end] != "\n":
            end += 1
        # The tokens run backwards, so that the last one begins the line; the farthest line may be cut.
        comment = start < end < len(tokens) and tokens[end - 1] in _COMMENTS
        (found if comment else elsewhere).update(tokens[start:end])
        end += 1
    return {word for word in found - elsewhere if word in names and word.islower() and len(identifier_parts(word)) == 1}


def _used_nearby(rest: str, prose: Collection[str], text: SourceText, line: int) -> set[str]:
    """Return the names of a copy that hold a word of ``prose`` and stand on other lines near the match."""
    names = {name for name in _WORD.findall(rest) if name not in prose and any(map(name.lower().count, prose))}
    if not names:
        return names
    near = [*text.lines[max(0, line - NEARBY) : line], *text.lines[line + 1 : line + NEARBY]]
    return {name for name in names if any(name in other for other in near)}


def _capitals(names: dict[str, str]) -> set[str]:
    """Return the words that are renamed in the case of their first letter alone."""
    return {one for one, other in names.items() if one[1:] == other[1:] and one[0].lower() == other[0].lower()}


@lru_cache(maxsize=2_000)
def changed_parts(one: str, other: str) -> list[tuple[str, str]]:
    """Return the parts in which two words differ, in lower case, if they have equally many parts and share one."""
    a, b = identifier_parts(one), identifier_parts(other)
    if len(a) != len(b) or len(a) < 2:
        return []
    differing = [(x.lower(), y.lower()) for x, y in zip(a, b, strict=True) if x.lower() != y.lower()]
    return differing if len(differing) < len(a) else []


def apply(text: str, names: dict[str, str], prose: Collection[str] = (), kept: Collection[str] = ()) -> tuple[str, int]:
    """Return a text with its words renamed, and how many were.

    A word whose first letter alone changes its case is a sentence's first one rather than a name: it changes once.

    :param prose: words that are not renamed within the names of ``kept``.
    """
    changed = 0
    capitals = _capitals(names)
    once = set(capitals)
    respelled = _respelled(names, text)
    of_names = _respelled({one: other for one, other in names.items() if one not in prose}, text) if kept else {}

    def replace(match: re.Match[str]) -> str:
        nonlocal changed
        word = match[0]
        if word in once:
            once.remove(word)
        elif word in capitals:
            return word
        new = (
            names.get(word)
            or _with_particle(word, names)
            or IDENTIFIER_PART.sub(lambda part: _recase(part[0], names.get(f"\0{part[0].lower()}")), word)
        )
        if respelled and new == word:
            new = with_parts(word, of_names if word in kept else respelled)
        changed += new != word
        return new

    return _WORD.sub(replace, text), changed


def _respelled(names: dict[str, str], text: str) -> dict[str, str]:
    """Return what names become in other spellings and within longer names: ``"red"`` and ``isRed`` after ``RED``.

    Only what stands in the text: a table of all takes as long as everything else here, 60 us a copy.
    """
    table: dict[str, str] = {}
    for one, other in names.items():
        if not one.startswith("\0"):
            for gone, come in respellings(one, other, SHORT + 1):
                if gone in text:
                    table.setdefault(gone, come)
    return table


def _with_particle(word: str, names: dict[str, str]) -> str | None:
    """Return a renamed word with its Korean particle, which fits the new name; None if it is not such a word."""
    stem, particle = split(word) or ("", "")
    return names[stem] + fitting(names[stem], particle) if stem in names else None


def _recase(part: str, new: str | None) -> str:
    """Return a new part in the case of the old one."""
    if new is None:
        return part
    if part.isupper() and len(part) > 1:
        return new.upper()
    return new.capitalize() if part[0].isupper() else new
