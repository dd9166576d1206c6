"""Draws the middles of fill-in-the-middle samples: syntax nodes, runs of siblings, random characters, or nothing.

A position and a length are drawn first. A syntax span is then the smallest node, or run of neighbouring children of one
node, that covers them (AST-FIM, arXiv 2506.00204). Long code is therefore hit in proportion to its length.
"""

import random
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.languages.grammars import parser

if TYPE_CHECKING:
    from tree_sitter import Node

LONGEST: Final = 700
"""Longest middle, in characters."""

SHORTEST: Final = 2
SYNTAX_SHARE: Final = 0.82
EMPTY_SHARE: Final = 0.05
"""Shares of the drawn spans; a few positions have no syntax span of the right size, and get random characters."""

_TRIES = 12
_SAYS_SOMETHING = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``[start, end)`` of a text; ``kind`` is ``node``, ``siblings``, ``characters`` or ``empty``."""

    start: int
    end: int
    kind: str


class Spans:
    """Draws the spans of one text.

    :param language: a key of ``indexer.languages.grammars``; without a grammar there are no syntax spans.
    """

    def __init__(self, text: str, language: str) -> None:
        self._text = text
        self._language = language

    def draw(self, rng: random.Random, low: int, high: int) -> Span | None:
        """Draw a span within the characters ``[low, high)``; None if they hold no letter or digit."""
        if high - low < SHORTEST or not _SAYS_SOMETHING.search(self._text, low, high):
            return None
        kind = rng.random()
        if kind < EMPTY_SHARE:
            at = rng.randint(low, high)
            return Span(at, at, "empty")
        if kind < EMPTY_SHARE + SYNTAX_SHARE and (found := self._syntax(rng, low, high)):
            return found
        return self._characters(rng, low, high)

    def _characters(self, rng: random.Random, low: int, high: int) -> Span | None:
        for _ in range(_TRIES):
            start = rng.randrange(low, high)
            end = min(high, start + _length(rng))
            if _SAYS_SOMETHING.search(self._text, start, end):
                return Span(start, end, "characters")
        return None

    def _syntax(self, rng: random.Random, low: int, high: int) -> Span | None:
        root = self._root
        if root is None:
            return None
        for _ in range(_TRIES):
            start = rng.randrange(low, high)
            if self._text[start].isspace():
                continue
            end = min(high, start + _length(rng))
            span = self._covering(root, start, end)
            within = low <= span.start and span.end <= high and SHORTEST <= span.end - span.start <= LONGEST
            if within and _SAYS_SOMETHING.search(self._text, span.start, span.end):
                return span
        return None

    def _covering(self, root: "Node", start: int, end: int) -> Span:
        """Return the smallest node, or run of named children of one, that covers the characters ``[start, end)``."""
        first, last = self._byte(start), self._byte(end)
        node = root.named_descendant_for_byte_range(first, max(first, last - 1)) or root
        run = [child for child in node.named_children if child.end_byte > first and child.start_byte < last]
        if len(run) >= 2:
            return Span(self._character(run[0].start_byte), self._character(run[-1].end_byte), "siblings")
        node = run[0] if run else node
        return Span(self._character(node.start_byte), self._character(node.end_byte), "node")

    @cached_property
    def _root(self) -> "Node | None":
        made = parser(self._language)
        if made is None:
            return None
        self._tree = made.parse(self._text.encode("utf-8", "surrogatepass"))  # nodes live as long as their tree
        return self._tree.root_node

    @cached_property
    def _bytes(self) -> "NDArray[np.int64] | None":
        """The byte at which each character begins; None for ASCII text, where both are equal."""
        if self._text.isascii():
            return None
        codes = np.frombuffer(self._text.encode("utf-32-le", "surrogatepass"), np.uint32)
        lengths = 1 + (codes > 0x7F) + (codes > 0x7FF) + (codes > 0xFFFF)
        return np.concatenate(([0], np.cumsum(lengths)))

    def _byte(self, character: int) -> int:
        return character if self._bytes is None else int(self._bytes[character])

    def _character(self, byte: int) -> int:
        return byte if self._bytes is None else int(np.searchsorted(self._bytes, byte))


def _length(rng: random.Random) -> int:
    """Draw a length, from a name to a block, log-uniformly."""
    return int(SHORTEST * (LONGEST / SHORTEST) ** rng.random())
