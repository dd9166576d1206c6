"""Aligns a copied line with the columns that the lines around the cursor keep.

A copy may come from a table with other columns. The new line is compared with the lines above it, token by token; where
one of them has a wide gap, the token moves to the column it has there.

This module knows strings alone and changes nothing but blanks behind the cursor.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from indexer.text.lines import leading_blanks
from indexer.text.tokens import TOKEN

TABLES: Final = 4
"""Lines above that columns are taken from, at most."""

LINES: Final = 14
"""Lines above among which these are looked for, since blank lines and comments separate groups of rows."""

LONGEST: Final = 400
"""Characters of the longest line that counts as a row of a table."""

_WIDE = re.compile(r"\S  +\S")
_CLOSING: Final = frozenset(")]},;")
_QUOTES: Final = frozenset("\"'`")
_COMMENTS: Final = frozenset({"#", "//", "/*", "--", "%"})
_BRACKETS: Final = frozenset("()[]{}")

Tokens = list[tuple[str, int, int]]


class Columns:
    """The columns that the lines above a cursor keep.

    :param above: nearest first. :param indent: the leading blanks of the cursor's line; lines with others are skipped.
    """

    def __init__(self, above: Sequence[str], indent: str) -> None:
        near = [line for line in above[:LINES] if len(line) <= LONGEST and line.strip()]
        rows = [line for line in near if leading_blanks(line) == indent]
        rows = [line for number, line in enumerate(rows) if number == 0 or _WIDE.search(line)][:TABLES]
        self._tables = [_tokens(line) for line in rows]
        self._wide = any(map(_WIDE.search, rows))

    def set(self, prefix: str, text: str) -> str:
        """Return the text with its blanks changed, so that ``prefix + text`` is aligned."""
        if not self._tables or "\t" in text or len(prefix) + len(text) > LONGEST:
            return text
        whole = prefix + text
        if not self._wide and not _WIDE.search(whole.lstrip(" ")):
            return text
        line = _tokens(whole)
        common = [_common(line, table) for table in self._tables]
        best = common.index(max(common))
        if len(line) < 2 or not common[best]:
            return text
        columns, gaps = self._wanted(line, best, common)
        out, done = prefix, len(prefix)
        for number, (token, start, end) in enumerate(line):
            if start < len(prefix):
                done = max(done, end)
                out = whole[:done]
                continue
            gap = start - done
            if number in gaps:
                typed = len(prefix) - len(prefix.rstrip(" ")) if len(out) == len(prefix) else 0
                gap = max(0, gaps[number] - typed)
            if number in columns:
                apart = out[-1:] in ("", " ") or token in _CLOSING
                gap = max(columns[number] - len(out), 0 if apart else 1)
            out += " " * gap + token
            done = end
        return (out + whole[done:])[len(prefix) :]

    def _wanted(self, line: Tokens, number: int, common: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Return the column of each of the line's tokens that has one, and the blanks next to brackets.

        Blanks are taken over as far as the lines have one form.
        """
        table = self._tables[number]
        wanted: dict[int, int] = {}
        gaps: dict[int, int] = {}
        parted = False
        quoted = _quoted(line)
        own = above = 0
        while own < len(line) and above < len(table):
            if not _same_place(line, table, own, above):
                met = _meet(line, table, own, above)
                if met is None:
                    break
                own, above = met
                parted = True
            if own and above and own not in quoted:
                column = self._column(number, above, line[own][1] - line[own - 1][2], common)
                if column is not None:
                    wanted[own] = column
                elif not parted and _BRACKETS & {line[own - 1][0], line[own][0]}:
                    gaps[own] = table[above][1] - table[above - 1][2]
            own, above = own + 1, above + 1
        return wanted, gaps

    def _column(self, number: int, above: int, gap: int, common: Sequence[int]) -> int | None:
        """Return the column that a token of a row gives to the new line's token, which had ``gap`` blanks before it."""
        token = self._tables[number][above]
        there = token[1] - self._tables[number][above - 1][2]
        # Two blanks before a comment are common and no column, unless rows of other lengths share it.
        common_gap = there <= 2 and token[0] in _COMMENTS
        if (common_gap or max(there, gap) <= 1) and not self._shared(token, number, there):
            return None
        # A nearer row of the same form without this column shows that the column has ended.
        kept = all(self._tables[n][above][1] == token[1] for n in range(number) if common[n] > above)
        return token[1] if kept else None

    def _shared(self, token: tuple[str, int, int], number: int, gap: int) -> bool:
        """Return whether another row has such a token in this column, behind a wide gap of another width."""
        return any(
            after[1] == token[1] and gap != after[1] - before[2] > 1 and _alike(after[0], token[0])
            for other, table in enumerate(self._tables)
            if other != number
            for before, after in pairwise(table)
        )


def _tokens(line: str) -> Tokens:
    return [(match[0], *match.span()) for match in TOKEN.finditer(line)]


def _quoted(line: Tokens) -> set[int]:
    """Return the numbers of the tokens within quotes, the closing one included: blanks before these belong to a text.

    A mark that is not closed on the line is no quote (macros in SystemVerilog), nor is one behind a digit (``4'b1``).
    """
    quoted: set[int] = set()
    number = 0
    while number < len(line):
        mark, start, _ = line[number]
        closing = [n for n in range(number + 1, len(line)) if line[n][0] == mark] if mark in _QUOTES else []
        if closing and not (
            mark == "'" and number and line[number - 1][2] == start and _alike(line[number - 1][0], "_")
        ):
            quoted |= set(range(number + 1, closing[0] + 1))
            number = closing[0]
        number += 1
    return quoted


def _alike(one: str, other: str) -> bool:
    """Return whether two tokens have one form: the same mark, or both a word or a number."""
    if one == other:
        return True
    a, b = one[0], other[0]
    return (a.isalnum() or a == "_") and (b.isalnum() or b == "_")


def _same_place(line: Tokens, table: Tokens, own: int, above: int) -> bool:
    """Return whether two tokens correspond: equal, or of one form with as many words before the next mark."""
    one, other = line[own][0], table[above][0]
    return one == other or (_alike(one, other) and _words_from(line, own) == _words_from(table, above))


def _words_from(tokens: Tokens, number: int) -> int:
    """Return how many words and numbers follow one another."""
    return next((n for n, token in enumerate(tokens[number:]) if not _alike(token[0], "_")), len(tokens) - number)


def _common(line: Tokens, table: Tokens) -> int:
    """Return how many tokens from the start have one form."""
    pairs = enumerate(zip(line, table, strict=False))
    return next((n for n, (one, other) in pairs if not _alike(one[0], other[0])), min(len(line), len(table)))


def _meet(line: Tokens, table: Tokens, own: int, above: int) -> tuple[int, int] | None:
    """Return where two lines correspond again after they differed: at the next token behind a wide gap of the table.

    A mark corresponds to the same mark, a word to a word that stands behind a wide gap itself.
    """
    for there in range(max(above, 1), len(table)):
        token = table[there][0]
        if not _behind_wide_gap(table, there):
            continue
        word = _alike(token, "_")
        for here in range(max(own, 1), len(line)):
            if (_alike(line[here][0], "_") and _behind_wide_gap(line, here)) if word else line[here][0] == token:
                return here, there
    return None


def _behind_wide_gap(tokens: Tokens, number: int) -> bool:
    return tokens[number][1] - tokens[number - 1][2] >= 2
