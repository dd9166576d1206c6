"""Cuts text of any language into tokens for copying, and names each by 24 bits: a hash, and whether it is a word.

One lexer serves every language: identifiers, numbers, operators and single marks; blanks between them are dropped, a
line's end is a token of its own, blank lines have none. Equality of token ids is what the suffix index matches on, so
two texts that differ only in spacing are the same to it.

Ids are hashes, so that files can be lexed in any process and order without a shared vocabulary: of 300,000 distinct
tokens in a million-line repository about 4 % share their 23 bits with another, which is harmless, because a match must
agree on several neighbours too and what is shown is cut from the file's text, never spelled from ids.

This module knows no files and no index; it refuses to know what a token means.
"""

import re
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from indexer.text.lines import MAX_COLUMNS, columns, unify_line_ends

END = 0
"""Stands between two documents; no text has this id."""

NEWLINE = 2
"""Ends every line that is not blank."""

WORD = 1
"""The bit that the ids of identifiers, keywords and words of prose have, and no other id has."""

WIDTH = 3
"""Bytes of one id in a packed stream (big-endian, so that bytes compare as ids do)."""

BLANK_LINE = MAX_COLUMNS + 1
"""The indentation recorded for a blank line."""

_OPERATORS = (
    r"[-+*/%&|^!=<>]=|->|=>|::|:=|&&|\|\||<<|>>|\.\.\.|\.\.|\+\+|--|/\*|\*/|//|\"\"\"|'''|\?\.|\?\?|~&|~\||<-|\*\*|##"
)
TOKEN = re.compile(rf"[^\W\d]\w*|\d\w*(?:\.\d\w*)?|\n|{_OPERATORS}|[^\s\w]")
_INDENT = re.compile(r"^[ \t]*(?=[^ \t\r\n]|$)", re.MULTILINE)
_CACHE_LIMIT = 2_000_000


class _Ids(dict[str, int]):
    """Token text to id, remembered."""

    def __missing__(self, token: str) -> int:
        if len(self) > _CACHE_LIMIT:
            self.clear()
            self["\n"] = NEWLINE
        value = crc32(token.encode("utf-8", "surrogatepass")) & 0xFFFFFE
        value = value if value > NEWLINE else value + 4
        if token[0].isalpha() or token[0] == "_":
            value |= WORD
        self[token] = value
        return value


_IDS = _Ids({"\n": NEWLINE})


@dataclass(frozen=True, slots=True)
class Lexed:
    """The tokens of one document.

    :param ids: uint32 ``(tokens,)``; every line that is not blank ends with ``NEWLINE``.
    :param counts: uint16 ``(lines,)``; tokens of each source line, its ``NEWLINE`` included, 0 for a blank line.
    :param indents: uint8 ``(lines,)``; columns of leading blanks, at most 254; ``BLANK_LINE`` for a blank line.
    """

    ids: NDArray[np.uint32]
    counts: NDArray[np.uint16]
    indents: NDArray[np.uint8]


def token_id(token: str) -> int:
    """The id of one token."""
    return _IDS[token]


def token_ids(text: str) -> list[int]:
    """The ids of a piece of text, line ends as ``NEWLINE``, blank lines kept (each gives one more ``NEWLINE``)."""
    ids = _IDS
    return [ids[token] for token in TOKEN.findall(text)]


def lex(text: str, distinct: set[str] | None = None) -> Lexed:
    """Lexes a whole document; no line may have more than 65,535 tokens (the policy leaves such files out).

    :param distinct: takes the letters of every token, each once.
    """
    text = unify_line_ends(text)
    if not text.endswith("\n"):
        text += "\n"
    tokens = TOKEN.findall(text)
    if distinct is not None:
        distinct.update(tokens)
    ids = np.fromiter(map(_IDS.__getitem__, tokens), np.uint32, len(tokens))
    ends = np.flatnonzero(ids == NEWLINE)
    counts: NDArray[np.int64] = np.diff(ends, prepend=-1)
    blank = counts == 1
    keep = np.ones(len(ids), bool)
    keep[ends[blank]] = False
    counts[blank] = 0
    widths = np.fromiter(map(_columns_of, _INDENT.findall(text)), np.uint8)[: len(counts)]
    indents = np.full(len(counts), BLANK_LINE, np.uint8)
    indents[: len(widths)] = widths
    indents[blank] = BLANK_LINE
    return Lexed(ids[keep], np.minimum(counts, 65_535).astype(np.uint16), indents)


class _Columns(dict[str, int]):
    """Leading blanks to columns, remembered: a repository has few distinct ones."""

    def __missing__(self, blanks: str) -> int:
        width = columns(blanks)
        if len(blanks) < 80:
            self[blanks] = width
        return width


_columns_of = _Columns().__getitem__


def pack(ids: NDArray[np.uint32]) -> bytes:
    """Ids as a stream of ``WIDTH`` big-endian bytes each."""
    return np.ascontiguousarray(ids.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:]).tobytes()


def unpack(stream: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The inverse of :func:`pack` for an array of shape ``(..., WIDTH)``."""
    wide = stream.astype(np.uint32)
    return ((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]).astype(np.uint32)
