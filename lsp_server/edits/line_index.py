"""The lines of a document by the words in them, kept up to date from one version of the document to the next.

A search looks for hundreds of sets of words. Scanning a text of 10,000 lines for each of them took most of the time
that a search has.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from lsp_server.edits.token_lines import RUN, common_ends

_WORD: Final = re.compile(r"\w+")


class LineIndex:
    """The lines that hold a word, for one document. For one thread.

    :ivar lines: those of the version that the index stands for.
    """

    def __init__(self) -> None:
        self.lines: Sequence[str] = ()
        self._names: list[int] = []
        """A name for each line, so that inserted lines do not rename those below them."""
        self._next = 0
        self._holding: dict[str, set[int]] = {}
        self._times: dict[str, int] = {}
        self._numbers: dict[int, int] | None = None
        self._words: str | None = None

    def update(self, lines: Sequence[str]) -> None:
        """Take over another version of the document; the work grows with the lines that changed."""
        if len(lines) == len(self.lines):
            for start in range(0, len(lines), RUN):
                part = slice(start, start + RUN)
                if self.lines[part] != lines[part]:
                    for at, (old, new) in enumerate(zip(self.lines[part], lines[part], strict=True), start):
                        if old != new:
                            self._exchange(slice(at, at + 1), lines[at : at + 1])
        else:
            head, tail = common_ends(self.lines, lines)
            self._exchange(slice(head, len(self.lines) - tail), lines[head : len(lines) - tail])
        self.lines = lines

    def _exchange(self, gone: slice, come: Sequence[str]) -> None:
        """Put other lines in the place of some."""
        for name, line in zip(self._names[gone], self.lines[gone], strict=True):
            for word in set(_WORD.findall(line)):
                holding = self._holding[word]
                holding.discard(name)
                if not holding:  # a word that was typed key by key leaves none of its beginnings
                    del self._holding[word]
                    self._words = None
            self._times[line] -= 1
            if not self._times[line]:
                del self._times[line]
        names = range(self._next, self._next + len(come))
        self._next += len(come)
        for name, line in zip(names, come, strict=True):
            for word in set(_WORD.findall(line)):
                if word not in self._holding:
                    self._holding[word] = set()
                    self._words = None
                self._holding[word].add(name)
            self._times[line] = self._times.get(line, 0) + 1
        if self._numbers is not None and len(come) == gone.stop - gone.start:
            for name, new, number in zip(self._names[gone], names, range(gone.start, gone.stop), strict=True):
                del self._numbers[name]
                self._numbers[new] = number
        else:
            self._numbers = None
        self._names[gone] = names

    def holding(self, words: Iterable[str]) -> Iterator[int]:
        """Return the lines that hold all of these words (at least one), in any order."""
        sets = sorted((self._holding.get(word, set()) for word in words), key=len)
        return self._numbered(sets[0].intersection(*sets[1:]))

    def with_part(self, part: str) -> list[int]:
        """Return the lines with a word that has this part, ascending."""
        if self._words is None:
            self._words = "\n".join((*self._holding, ""))
        found: set[int] = set()
        at = self._words.find(part)
        while at >= 0:
            end = self._words.index("\n", at)
            found |= self._holding[self._words[self._words.rfind("\n", 0, at) + 1 : end]]
            at = self._words.find(part, end)
        return sorted(self._numbered(found))

    def knows(self, word: str) -> bool:
        """Return whether a line holds a word."""
        return bool(self._holding.get(word))

    def times(self, line: str) -> int:
        """Return how many lines have exactly this text."""
        return self._times.get(line, 0)

    def _numbered(self, names: set[int]) -> Iterator[int]:
        if self._numbers is None:
            self._numbers = {name: number for number, name in enumerate(self._names)}
        return map(self._numbers.__getitem__, names)
