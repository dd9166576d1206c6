"""A document as the search for places sees it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from indexer.text.lines import indent_of, unify_line_ends
from lsp_server.edits.line_index import LineIndex
from lsp_server.edits.text_search import TextSearch
from lsp_server.edits.token_lines import is_word, parse

SITE_LIMIT: Final = 200
"""Places of a rule in a document that are counted."""

LOOK: Final = 200
"""Lines above a line among which the head of its block is looked for."""

Around = tuple[frozenset[str], frozenset[str], frozenset[str]]
"""The tokens of the lines above and below a line that are not blank, and of the head of its block."""


@dataclass
class View:
    """A document as the search for places sees it.

    :param edited: lines that were edited, from 0.
    :param kept: an index of an earlier version of the document; for a file that is searched once, a ``TextSearch``.
    """

    uri: str
    text: str
    edited: frozenset[int] = frozenset()
    kept: LineIndex | TextSearch = field(default_factory=LineIndex)
    _counted: dict[frozenset[str], tuple[int, ...]] = field(default_factory=dict)
    _few: dict[frozenset[str], Sequence[int] | None] = field(default_factory=dict)
    _untouched: dict[frozenset[str], list[int]] = field(default_factory=dict)
    _around: dict[int, Around] = field(default_factory=dict)

    @classmethod
    def of(cls, uri: str, text: str, edited: frozenset[int], kept: LineIndex | TextSearch | None = None) -> "View":
        """Return the view of a text with any line ends."""
        return cls(uri, unify_line_ends(text), edited, kept or LineIndex())

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return self.text.split("\n")

    @property
    def index(self) -> LineIndex | TextSearch:
        """The lines by their words."""
        if self.kept.lines is not self.lines:
            self.kept.update(self.lines)
        return self.kept

    def sites(self, literals: frozenset[str]) -> tuple[int, ...]:
        """Return the lines that hold all these tokens, ascending; at most ``SITE_LIMIT``."""
        found = self._counted.get(literals)
        if found is None:
            few = self._few.get(literals)
            found = tuple(self.all_sites(literals)[:SITE_LIMIT] if few is None else few)
            self._counted[literals] = found
        return found

    def few_sites(self, literals: frozenset[str], most: int) -> Sequence[int] | None:
        """Return the lines that hold all these tokens (at least one), ascending; None for more than ``most``.

        :param most: the same each time.
        """
        if literals not in self._few:
            found = list(self._holding(literals))
            self._few[literals] = sorted(found) if len(found) <= most else None
        return self._few[literals]

    def all_sites(self, literals: frozenset[str]) -> Sequence[int]:
        """Return all lines that hold all these tokens (at least one), ascending."""
        return sorted(self._holding(literals)) if literals else ()

    def _holding(self, literals: frozenset[str]) -> Iterable[int]:
        words = list(filter(is_word, literals))
        lines = self.lines
        found: Iterable[int] = self.index.holding(words) if words else range(len(lines))
        for sign in literals.difference(words):
            found = [number for number in found if sign in lines[number]]
        return found

    def untouched(self, literals: frozenset[str]) -> list[int]:
        """Return those of :meth:`sites` that were not edited."""
        found = self._untouched.get(literals)
        if found is None:
            found = self._untouched[literals] = [line for line in self.sites(literals) if line not in self.edited]
        return found

    def around(self, line: int) -> Around:
        """Return what stands around a line."""
        found = self._around.get(line)
        if found is None:
            found = self._around[line] = self.next_line(line, -1), self.next_line(line, 1), self._head(line)
        return found

    def next_line(self, line: int, step: int) -> frozenset[str]:
        """Return the tokens of the next line above (``step`` -1) or below (1) that is not blank."""
        at = line + step
        while 0 <= at < len(self.lines) and not self.lines[at].strip() and abs(at - line) < LOOK:
            at += step
        return frozenset(parse(self.lines[at]).texts) if 0 <= at < len(self.lines) else frozenset()

    def _head(self, line: int) -> frozenset[str]:
        """The tokens of the nearest line above that is indented less."""
        if line >= len(self.lines):
            return frozenset()
        indent = indent_of(self.lines[line])
        for at in range(line - 1, max(-1, line - 1 - LOOK), -1):
            if self.lines[at].strip() and indent_of(self.lines[at]) < indent:
                return frozenset(parse(self.lines[at]).texts)
        return frozenset()


@dataclass(frozen=True)
class OtherFile:
    """Another document in which the newest edits may hold.

    :param number: its place in the order of the search, from 0. :param files: files that hold what was changed; 0 for
        documents that are open.
    """

    view: View
    number: int = 0
    files: int = 0
