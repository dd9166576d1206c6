"""The lines of a document by the words in them, found in its text as they are asked for.

A file that is searched once needs no index of all its words: to build one (``line_index``) took half of the time of a
search of twenty files.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_UNDERSCORE: Final = "_"


class TextSearch:
    """Answers what ``line_index.LineIndex`` answers, for a text that does not change.

    :ivar lines: those of the text.
    """

    def __init__(self) -> None:
        self.lines: Sequence[str] = ()
        self._text = ""
        self._starts: list[int] = []
        self._holding: dict[str, list[int]] = {}

    def update(self, lines: Sequence[str]) -> None:
        """Take a text."""
        self.lines, self._text = lines, "\n".join(lines)
        self._starts, self._holding = [], {}
        at = 0
        for line in lines:
            self._starts.append(at)
            at += len(line) + 1

    def holding(self, words: Iterable[str]) -> list[int]:
        """Return the lines that hold all of these words (at least one), ascending."""
        longest, *others = sorted(words, key=len, reverse=True)
        lines = self._with_word(longest)
        for word in others:
            lines = [number for number in lines if self._holds(number, word)]
        return list(lines)

    def with_part(self, part: str) -> list[int]:
        """Return the lines with a word that has this part, ascending."""
        return self._numbers(self._found(part))

    def knows(self, word: str) -> bool:
        """Return whether a line holds a word."""
        return any(self._ends_with(at, word) for at in self._found(word))

    def times(self, line: str) -> int:
        """Return how many lines have exactly this text."""
        return self.lines.count(line)

    def _with_word(self, word: str) -> list[int]:
        known = self._holding.get(word)
        if known is None:
            places = (at for at in self._found(word) if self._ends_with(at, word))
            known = self._holding[word] = self._numbers(places)
        return known

    def _found(self, part: str) -> Iterator[int]:
        at = self._text.find(part)
        while at >= 0:
            yield at
            at = self._text.find(part, at + 1)

    def _holds(self, number: int, word: str) -> bool:
        start = self._starts[number]
        end = start + len(self.lines[number])
        at = self._text.find(word, start, end)
        while at >= 0:
            if self._ends_with(at, word):
                return True
            at = self._text.find(word, at + 1, end)
        return False

    def _ends_with(self, at: int, word: str) -> bool:
        """Whether a word that stands at a place is no part of a longer one."""
        end = at + len(word)
        before, after = self._text[at - 1 : at] if at else "", self._text[end : end + 1]
        return not (before.isalnum() or before == _UNDERSCORE or after.isalnum() or after == _UNDERSCORE)

    def _numbers(self, places: Iterable[int]) -> list[int]:
        """The lines of places, each once."""
        return list(dict.fromkeys(bisect_right(self._starts, at) - 1 for at in places))
