"""The lexer for matching: cuts text of any language into tokens and names each by 24 bits, a hash and a word bit.

One lexer is used for every language. Tokens are identifiers, numbers, operators, single marks and line ends; spaces are
dropped, and blank lines have no tokens. A Korean particle is a token of its own (``particles``). The suffix index
compares token ids, so two texts that differ only in spacing are equal to it.

Ids are hashes, so that files can be lexed in any process and order without a shared vocabulary: of 300,000 distinct
tokens in a million-line repository about 4 % share their 23 bits with another. That is harmless: a match must agree on
several neighbours too, and suggestions are cut from the file's text, never made from ids.
"""

import re
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from indexer.text.lines import MAX_COLUMNS, columns, unify_line_ends
from indexer.text.particles import ENDS_WORD, NAMED, STEM

END = 0
"""Separates two documents; no token has this id."""

NEWLINE = 2
"""The id of the line end, which ends every line that is not blank."""

WORD = 1
"""The bit that is set in the ids of identifiers, keywords and words of prose only."""

BLANK_LINE = MAX_COLUMNS + 1
"""The indentation recorded for a blank line."""

_OPERATORS = (
    r"[-+*/%&|^!=<>]=|->|=>|::|:=|&&|\|\||<<|>>|\.\.\.|\.\.|\+\+|--|/\*|\*/|//|\"\"\"|'''|\?\.|\?\?|~&|~\||<-|\*\*|##"
)
# The first alternative takes nearly all words of code: it tries the end of a word before it looks for a particle.
_WORDS = rf"[A-Za-z_][A-Za-z0-9_]*+(?:(?!\w)|{ENDS_WORD})|{STEM}|[^\W\d]\w*"
TOKEN = re.compile(rf"{_WORDS}|\d\w*(?:\.\d\w*)?|\n|{_OPERATORS}|[^\s\w]")
_INDENT = re.compile(r"^[ \t]*(?=[^ \t\r\n]|$)", re.MULTILINE)
_CACHE_LIMIT = 50_000
"""As fast as with 2,000,000, which took some 300 MB of each worker on a kernel: frequent tokens are back at once."""


class _Ids(dict[str, int]):
    """Cache from token text to id."""

    def __missing__(self, token: str) -> int:
        if len(self) > _CACHE_LIMIT:
            self.clear()
            self["\n"] = NEWLINE
        value = crc32(NAMED.get(token, token).encode("utf-8", "surrogatepass")) & 0xFFFFFE
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
    """Lex a whole document; a line may have at most 65,535 tokens (the policy leaves longer lines out).

    :param distinct: a set to which the text of every token is added.
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
    """Cache from leading blanks to columns: a repository has few distinct ones."""

    def __missing__(self, blanks: str) -> int:
        width = columns(blanks)
        if len(blanks) < 80:
            self[blanks] = width
        return width


_columns_of = _Columns().__getitem__
