"""A document as the search for places sees it."""

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from indexer.text.lines import unify_line_ends

SITE_LIMIT: Final = 200
"""Places of a rule in a document that are counted."""


@dataclass
class View:
    """A document as the search for places sees it.

    :param edited: lines that were edited, from 0.
    """

    uri: str
    text: str
    edited: frozenset[int] = frozenset()
    _counted: dict[frozenset[str], tuple[int, ...]] = field(default_factory=dict)
    _untouched: dict[frozenset[str], list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, uri: str, text: str, edited: frozenset[int]) -> "View":
        """Return the view of a text with any line ends."""
        return cls(uri, unify_line_ends(text), edited)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for line in self.lines:
            starts.append(at)
            at += len(line) + 1
        return starts

    def sites(self, literals: frozenset[str]) -> tuple[int, ...]:
        """Return the lines that hold all these tokens (as parts of the line), ascending; at most ``SITE_LIMIT``."""
        found = self._counted.get(literals)
        if found is None:
            found = self._counted[literals] = self._search(literals) if literals else ()
        return found

    def untouched(self, literals: frozenset[str]) -> list[int]:
        """Return those of :meth:`sites` that were not edited."""
        found = self._untouched.get(literals)
        if found is None:
            found = self._untouched[literals] = [line for line in self.sites(literals) if line not in self.edited]
        return found

    def _search(self, literals: frozenset[str]) -> tuple[int, ...]:
        first, *others = sorted(literals, key=len, reverse=True)
        found: list[int] = []
        at = self.text.find(first)
        looked = 0
        while at >= 0 and len(found) < SITE_LIMIT and looked < 10 * SITE_LIMIT:
            looked += 1
            number = bisect_right(self._starts, at) - 1
            line = self.lines[number]
            if all(word in line for word in others):
                found.append(number)
            at = self.text.find(first, self._starts[number] + len(line))
        return tuple(found)
