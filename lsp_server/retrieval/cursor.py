"""The text around a cursor as token ids: what the retrieval engine works on.

A :class:`CursorContext` holds the open document split at the cursor's line, its tokens before and after that line, the
words and pairs of words in it, and two readings of the cursor: behind a whole word, and inside one (:class:`Reading`).
What does not change while one types in a line is its :class:`LineContext`; it is kept from key to key, so that a
keystroke costs the lexing of one line.

This module knows one document and no index.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.text.lines import columns, leading_blanks, lines_of
from indexer.text.tokens import BLANK_LINE, END, NEWLINE, TOKEN, Lexed, lex, token_id
from lsp_server.retrieval.columns import LINES, LONGEST, Columns
from lsp_server.retrieval.written_style import WrittenStyle
from lsp_server.types import Document

Ids = NDArray[np.uint32]
Keys = NDArray[np.uint64]

WINDOW = 40
"""Tokens of a continuation that are compared; a longer rest of a line is compared no further."""

NEAR_TOKENS = 300
"""Tokens before the cursor whose words count as near (half as many after it)."""

ASKED = 12
"""Earlier keys of a line whose best options are known."""

LOOK_BACK = 30
"""Lines above the cursor among which the last rows of its series are looked for."""

PAIR = np.uint64(24)
_TRIPLE_A = np.uint64(0x9E3779B97F4A7C15)
_TRIPLE_B = np.uint64(0xC2B2AE3D27D4EB4F)

OPENING = np.array(sorted(token_id(mark) for mark in "([{"), np.uint32)
CLOSING = np.array(sorted(token_id(mark) for mark in ")]}"), np.uint32)

REACH = 16_000
"""Characters on either side of the cursor whose words may be the next one of a series."""

_WORDS = re.compile(r"\w+")
_WORD_AT_END = re.compile(r"[^\W\d]\w*$")
_EMPTY = np.zeros(0, np.uint32)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the cursor.

    :param partial: the letters of the unfinished word that a continuation has to begin with; "" behind a whole word.
    :param typed: the ids of the whole tokens of the line before the cursor.
    """

    partial: str
    typed: tuple[int, ...]


def pairs(ids: Ids) -> Keys:
    """Return the distinct pairs of neighbouring tokens, as keys in order."""
    wide = ids.astype(np.uint64)
    return np.unique((wide[:-1] << PAIR) | wide[1:])


def pair_keys(before: Ids, ids: Ids) -> Keys:
    """Return keys as in :func:`pairs` for aligned arrays of any shape."""
    return (before.astype(np.uint64) << PAIR) | ids


def triple_keys(before: Ids, pair: Keys) -> Keys:
    """Return keys for three neighbouring tokens, from the first of them and the pair after it."""
    return (before.astype(np.uint64) * _TRIPLE_A) ^ (pair * _TRIPLE_B)


class LexedText:
    """A text with its tokens: a document, or the part of one on one side of the cursor's line."""

    def __init__(self, text: str, lexed: Lexed | None = None) -> None:
        self.text = text
        self.lexed = (lexed or lex(text)) if text else Lexed(_EMPTY, np.zeros(0, np.uint16), np.zeros(0, np.uint8))
        self.ids = self.lexed.ids
        self.line_starts = np.concatenate(([0], np.cumsum(self.lexed.counts, dtype=np.int64)))

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        lines = lines_of(self.text)
        return lines[:-1] if lines and not lines[-1] else lines

    def grown(self, text: str) -> "LexedText":
        """Return a longer text that begins with this one, lexing only what is new."""
        fresh = lex(text[len(self.text) :])
        old = self.lexed
        return LexedText(
            text,
            Lexed(
                np.concatenate((old.ids, fresh.ids)),
                np.concatenate((old.counts, fresh.counts)),
                np.concatenate((old.indents, fresh.indents)),
            ),
        )


@dataclass
class LineContext:
    """The parts of a cursor context that do not change while one types in a line."""

    before: LexedText
    after: LexedText
    tokens: Ids = field(init=False)
    """All tokens but those of the cursor's line, with one ``END`` instead of it, and room for a window at the end."""

    followers: dict[str, list[str]] = field(default_factory=dict)
    """For words of the document, the words that stand below them; ``series`` fills it."""

    predicted: dict[str, str] = field(default_factory=dict)
    """The last ``ASKED`` beginnings of the line that were asked about, each with the text of the best option."""

    written_style: WrittenStyle | None = None
    """Filled by :meth:`style`."""

    def predicts(self, prefix: str, text: str) -> None:
        """Note the best option behind a beginning of the line."""
        self.predicted.pop(prefix, None)
        self.predicted[prefix] = text
        while len(self.predicted) > ASKED:
            del self.predicted[next(iter(self.predicted))]

    def __post_init__(self) -> None:
        gap = np.array([END], np.uint32)
        self.tokens = np.concatenate((self.before.ids, gap, self.after.ids, np.zeros(WINDOW + 1, np.uint32)))

    @property
    def here(self) -> int:
        """The position of the cursor's line in ``tokens``."""
        return len(self.before.ids)

    @cached_property
    def searchable(self) -> Ids:
        """The tokens without the room at the end."""
        return self.tokens[: len(self.tokens) - WINDOW - 1]

    @cached_property
    def known(self) -> Ids:
        """Distinct tokens of the document."""
        return self.counts[0]

    @cached_property
    def counts(self) -> tuple[Ids, NDArray[np.int64]]:
        """Distinct tokens of the document, and how often each stands in it."""
        return np.unique(self.searchable, return_counts=True)

    @cached_property
    def pair_counts(self) -> tuple[Keys, NDArray[np.int64]]:
        """Distinct pairs of neighbouring tokens, and how often each stands in the document."""
        ids = self.searchable
        return np.unique(pair_keys(ids[:-1], ids[1:]), return_counts=True)

    @cached_property
    def triple_counts(self) -> tuple[Keys, NDArray[np.int64]]:
        """Distinct triples of neighbouring tokens, and how often each stands in the document."""
        ids = self.searchable
        if len(ids) < 3:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return np.unique(triple_keys(ids[:-2], pair_keys(ids[1:-1], ids[2:])), return_counts=True)

    @cached_property
    def sorted_lines(self) -> list[str]:
        """The lines of the document that are not blank, without blanks around them, in order."""
        return sorted(line.strip() for line in (*self.before.lines, *self.after.lines) if line.strip())

    @cached_property
    def near(self) -> Ids:
        """Distinct tokens near the cursor."""
        return np.unique(self.tokens[max(0, self.here - NEAR_TOKENS) : self.here + NEAR_TOKENS // 2])

    @cached_property
    def pairs(self) -> Keys:
        """Distinct pairs of neighbouring tokens."""
        return self.pair_counts[0]

    @cached_property
    def triples(self) -> Keys:
        """Distinct triples of neighbouring tokens."""
        return self.triple_counts[0]

    @cached_property
    def indents(self) -> NDArray[np.int64]:
        """Columns of leading blanks of each line of the document; the cursor's own line and blank ones have -1."""
        joined = np.concatenate((self.before.lexed.indents, [BLANK_LINE], self.after.lexed.indents)).astype(np.int64)
        joined[joined == BLANK_LINE] = -1
        return joined

    @cached_property
    def previous_indents(self) -> NDArray[np.int64]:
        """For each line the indentation of the last line before it that is not blank; 0 at the start."""
        rows = np.arange(len(self.indents))
        last = np.maximum.accumulate(np.where(self.indents >= 0, rows, -1))
        last = np.concatenate(([-1], last[:-1]))
        return np.where(last >= 0, self.indents[last], 0)

    @cached_property
    def names(self) -> list[str]:
        """Distinct words near the cursor, the nearest first."""
        above, below = self.before.text, self.after.text
        found = [(len(above) - m.start(), m[0]) for m in _WORDS.finditer(above, max(0, len(above) - REACH))]
        found += [(m.start(), m[0]) for m in _WORDS.finditer(below, 0, REACH)]
        found.sort()
        return list(dict.fromkeys(name for _, name in found))

    @cached_property
    def next_line(self) -> list[int]:
        """Ids of the first line after the cursor's that is not blank."""
        ids = self.after.ids[: 4 * WINDOW]
        ends = np.flatnonzero(ids == NEWLINE)
        line: list[int] = ids[: ends[0]].tolist() if len(ends) else ids.tolist()
        return line

    @cached_property
    def lines_above(self) -> list[list[int]]:
        """Ids of the last five lines above that are not blank, nearest first."""
        ids = self.before.ids[-12 * WINDOW :].tolist()
        lines: list[list[int]] = [[]]
        for token in ids:
            if token == NEWLINE:
                lines.append([])
            else:
                lines[-1].append(token)
        return [line for line in lines[::-1] if line][:5]

    @cached_property
    def rows_above(self) -> list[tuple[int, str, list[str]]]:
        """Number, leading blanks and tokens of the lines above that may be rows of a series, nearest first."""
        lines, last = self.before.lines, len(self.before.lines)
        return [
            (row, leading_blanks(lines[row]), TOKEN.findall(lines[row]))
            for row in range(last - 1, max(-1, last - 1 - LOOK_BACK), -1)
            if len(lines[row]) <= LONGEST and lines[row].strip()
        ]

    def style(self, language: str) -> WrittenStyle:
        """Return the quotes and the ends of statements that the document keeps."""
        if self.written_style is None:
            self.written_style = WrittenStyle(language, self.before.lines, self.after.lines)
        return self.written_style

    @cached_property
    def mean_line(self) -> float:
        """Tokens per line before the cursor."""
        return len(self.before.ids) / max(1, int((self.before.ids == NEWLINE).sum())) if len(self.before.ids) else 8.0


@dataclass
class CursorContext:
    """A cursor and the text around it.

    :param prefix: the line's text before the cursor. :param rest: its text behind the cursor.
    :param line: the line's number, from 0. :param indent: columns of the line's leading blanks.
    """

    document: Document
    offset: int
    line_context: LineContext
    prefix: str
    rest: str
    line: int
    indent: int
    readings: tuple[Reading, ...]

    @property
    def at_start(self) -> bool:
        """Whether only blanks stand before the cursor on its line."""
        return not self.prefix.strip()

    def context(self, reading: Reading, depth: int) -> list[int]:
        """Return the last ``depth`` tokens before the cursor under a reading, the nearest last."""
        typed = list(reading.typed)
        room = max(0, depth - len(typed))
        return (self.line_context.before.ids[-room:].tolist() if room else []) + typed

    @cached_property
    def columns(self) -> Columns:
        """The columns that the lines above are aligned to."""
        above = self.line_context.before.lines[: -LINES - 1 : -1]
        return Columns(above, leading_blanks(self.prefix))

    def as_written_here(self, text: str) -> str:
        """Return a text that is copied behind the cursor with the document's columns, quotes and ends of statements."""
        styled = self.line_context.style(self.document.language).set(self.prefix, text)
        return self.columns.set(self.prefix, styled)


class CursorContexts:
    """Makes cursor contexts, and keeps the line context of each document's last one."""

    def __init__(self, size: int = 16) -> None:
        self._line_contexts: dict[str, LineContext] = {}
        self._size = size

    def at(self, document: Document, offset: int) -> CursorContext:
        """Return the context of an offset of a document."""
        text = document.text
        start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
        ends = [end for end in (text.find("\n", offset), text.find("\r", offset)) if end >= 0]
        end = min(ends, default=len(text))
        behind = end + 2 if text[end : end + 2] == "\r\n" else end + 1
        context = self._line_context(document.uri, text[:start], text[behind:])
        prefix, rest = text[start:offset], text[offset:end]
        tokens = TOKEN.findall(prefix)
        typed = [token_id(token) for token in tokens]
        readings = [Reading("", tuple(typed))]
        word = _WORD_AT_END.search(prefix)
        if word:
            # A particle behind a word is the unfinished token: 에 may become 에서.
            readings.append(Reading(min(word[0], tokens[-1], key=len), tuple(typed[:-1])))
        indent = columns(leading_blanks(prefix))
        line = len(context.before.lexed.counts)
        return CursorContext(document, offset, context, prefix, rest, line, indent, tuple(readings))

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._line_contexts.pop(uri, None)

    @contextmanager
    def kept(self, uri: str) -> Iterator[None]:
        """Keep the line context of a document while others are made of it."""
        context = self._line_contexts.get(uri)
        yield
        if context is not None:
            self._line_contexts[uri] = context

    def _line_context(self, uri: str, before: str, after: str) -> LineContext:
        old = self._line_contexts.pop(uri, None)
        if old is None or old.before.text != before or old.after.text != after:
            old = LineContext(_lexed(before, old.before if old else None), _lexed(after, old.after if old else None))
        self._line_contexts[uri] = old
        while len(self._line_contexts) > self._size:
            self._line_contexts.pop(next(iter(self._line_contexts)))
        return old


def _lexed(text: str, old: LexedText | None) -> LexedText:
    if old is None:
        return LexedText(text)
    if old.text == text:
        return old
    # Enter was pressed: the typed line joins the text above.
    if old.text.endswith("\n") and text.startswith(old.text) and old.text:
        return old.grown(text)
    return LexedText(text)


def first_tokens(line: str) -> list[tuple[int, int]]:
    """Return start and end of each token of a line."""
    return [match.span() for match in TOKEN.finditer(line)]
