"""Lines of code as tokens with the blanks before them, so that edits can be compared and applied whatever the spacing.

A text of several lines is one run of tokens in which a line end is a token. Its indentation is kept apart, relative to
the first line, so that an edit fits a place that is indented differently.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

BEGIN: Final = "\x02"
END: Final = "\x03"
"""Stand before the first and behind the last token, so that the ends of a line can be context."""

PARSED: Final = 2_048
"""Lines whose tokens are kept, 1 to 6 KB each, by what was asked of them."""

RUN: Final = 64
"""Items that are compared at once."""

_TOKEN: Final = re.compile(r"([^\S\n]*)(\n|\w+|[^\w\s])")
_BLANKS: Final = re.compile(r"[^\S\n]*")
_NAME: Final = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class TokenLine:
    """One line, or a few lines, as tokens.

    :param indent: blanks before the first token.
    :param texts: the tokens; a line end between two lines is the token ``\\n``.
    :param spaces: the blanks before each token; behind a line end those beyond ``indent``.
    :param tail: blanks behind the last token.
    """

    indent: str
    texts: tuple[str, ...]
    spaces: tuple[str, ...]
    tail: str

    @cached_property
    def padded(self) -> tuple[str, ...]:
        """The tokens between ``BEGIN`` and ``END``."""
        return (BEGIN, *self.texts, END)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """As ``padded``, with one letter for every name and for every number."""
        return tuple(map(kind_of, self.padded))

    @cached_property
    def words(self) -> frozenset[str]:
        """The tokens, each once."""
        return frozenset(self.texts)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Where each token stands in ``padded``."""
        return _places(self.padded)

    @cached_property
    def places_by_kind(self) -> dict[str, list[int]]:
        """Where each kind of token stands in ``padded``."""
        return _places(self.kinds)


def _places(texts: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        found.setdefault(text, []).append(at)
    return found


@lru_cache(8_192)
def kind_of(text: str) -> str:
    """Return ``N`` for a name, ``0`` for a number, else the token."""
    if is_name(text):
        return "N"
    return "0" if text[0].isdigit() else text


def is_word(text: str) -> bool:
    """Whether a token is a name or a number."""
    return text[0].isalnum() or text[0] == "_"


def is_name(text: str) -> bool:
    """Whether a token is an identifier or a keyword."""
    return text.isidentifier() if text.isascii() else _NAME.fullmatch(text) is not None


@lru_cache(PARSED)
def parse(text: str) -> TokenLine:
    """Cut a text without a line end at its end into tokens."""
    found = _BLANKS.match(text)
    indent = found[0] if found else ""
    if indent and "\n" in text:
        text = indent + text[len(indent) :].replace("\n" + indent, "\n")
    texts, spaces, end = [], [], len(indent)
    for token in _TOKEN.finditer(text, len(indent)):
        spaces.append(token[1])
        texts.append(token[2])
        end = token.end()
    return TokenLine(indent, tuple(texts), tuple(spaces), text[end:])


def render(indent: str, texts: Sequence[str], spaces: Sequence[str], tail: str) -> str:
    """Return the text of tokens; the inverse of :func:`parse`. Two words without a blank between them get one."""
    parts = [indent]
    word = ended = False
    for space, text in zip(spaces, texts, strict=True):
        if ended and text != "\n":
            parts.append(indent)
        before, word = word, text[0].isalnum() or text[0] == "_"
        if space:
            parts.append(space)
        elif before and word:
            parts.append(" ")
        parts.append(text)
        ended = text == "\n"
    parts.append(tail)
    return "".join(parts)


def shifted(indent: str, before: str, after: str) -> str | None:
    """Return an indentation that changes as ``before`` changed to ``after``; None where it cannot."""
    if before == after:
        return indent
    if indent == before:
        return after
    if after.startswith(before):
        return indent + after[len(before) :]
    if before.startswith(after) and indent.endswith(before[len(after) :]):
        return indent[: len(indent) - len(before) + len(after)]
    return None


def common_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Return how many items two sequences share at their beginnings, and how many of the others at their ends."""
    most, head, tail = min(len(old), len(new)), 0, 0
    while head + RUN <= most and old[head : head + RUN] == new[head : head + RUN]:
        head += RUN
    while head < most and old[head] == new[head]:
        head += 1
    size, other = len(old), len(new)
    while tail + RUN <= most - head and (
        old[size - tail - RUN : size - tail] == new[other - tail - RUN : other - tail]
    ):
        tail += RUN
    while tail < most - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail
