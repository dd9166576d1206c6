"""A plain vote of the longest suffixes: the baseline for cursors with nothing behind them.

Every place of the repository or of the document at which the same tokens stand before votes for the rest of its line.
A vote weighs 1 in the repository and 3 in the document, times 1.7 to the power of the number of equal tokens. There is
no gate, so automatic requests get nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.baseline import Baseline
from lsp_server.reasons import Reason
from lsp_server.types import Answer, Document, Request, Suggestion

BASE: Final = 1.7
DOCUMENT: Final = 3.0
LONGEST: Final = 40
"""Tokens that are compared, at most."""

VOTES: Final = 3000
"""Places that vote, at most: those with the most equal tokens."""

BEST: Final = 3

_TOKEN: Final = re.compile(r"\n|[^\W\d]\w*|\d+|[^\w\s]|\0")
_BETWEEN_LINES: Final = re.compile(r"\s*\n\s*")
_WORD_AT_END: Final = re.compile(r"\w+$")
_GAP: Final = "\n\0\n"

Ints = NDArray[np.int64]


class _Tokens:
    """The tokens of a text whose lines are not indented, with the place behind each."""

    def __init__(self, text: str, numbers: dict[str, int]) -> None:
        self.text = text
        ids, ends = [], []
        for match in _TOKEN.finditer(text):
            ids.append(numbers.setdefault(match[0], len(numbers)))
            ends.append(match.end())
        self.ids, self.ends = np.array(ids, np.int64), np.array(ends, np.int64)

    def matches(self, context: Ints) -> tuple[Ints, Ints]:
        """Return the positions of tokens that end a part equal to the end of ``context``, and the tokens equal."""
        places = np.flatnonzero(self.ids == context[-1]) if len(context) else np.zeros(0, np.int64)
        length = np.ones(len(places), np.int64)
        longer = np.arange(len(places))
        for back in range(1, min(LONGEST, len(context))):
            longer = longer[places[longer] >= back]
            longer = longer[self.ids[places[longer] - back] == context[-1 - back]]
            if not len(longer):
                break
            length[longer] += 1
        return places, length

    def rest(self, place: int) -> str:
        """Return the text from behind a token to the end of the line."""
        end = self.text.find("\n", self.ends[place])
        return self.text[self.ends[place] : end if end >= 0 else len(self.text)]


class SuffixVote(Baseline):
    """The baseline, as an engine."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._repository = _Tokens("", self._numbers)
        self._ranges: dict[str, tuple[int, int]] = {}

    def set_index(self, index: Any) -> None:
        """Read the texts of an index."""
        self._numbers, self._ranges = {}, {}
        parts: list[str] = []
        at = 0
        for document in () if index is None else index.documents.values():
            text = _plain(index.text(document)) + _GAP
            self._ranges[document.path] = (at, at + len(text))
            parts.append(text)
            at += len(text)
        self._repository = _Tokens("".join(parts), self._numbers)

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Return the rests of line with the most votes; nothing for an automatic request."""
        if request.automatic:
            return Answer((), Reason.BASELINE)
        before = request.document.text[: request.offset]
        word = _WORD_AT_END.search(before)
        partial = word[0] if word else ""
        known = before[: len(before) - len(partial)]
        context = "\n" + "\n".join(known.split("\n")[-LONGEST:])
        ids = _Tokens(_plain(context), self._numbers).ids
        blank = known[-1:] in (" ", "\t")
        votes: Counter[str] = Counter()
        for tokens, weight, places, length in self._matches(request.document, known, ids):
            for place, equal in zip(places.tolist(), length.tolist(), strict=True):
                rest = tokens.rest(place)
                rest = (rest.lstrip(" \t") if blank else rest).rstrip()
                if rest.startswith(partial) and len(rest) > len(partial) and "\0" not in rest:
                    votes[rest[len(partial) :]] += weight * BASE**equal
        best = [text for text, _ in votes.most_common(BEST)]
        found = tuple(Suggestion(text, request.offset, request.offset, 0.0, "suffix_vote") for text in best)
        return Answer(found, Reason.SHOWN if found else Reason.NO_MATCH)

    def _matches(self, document: Document, known: str, ids: Ints) -> Iterable[tuple[_Tokens, float, Ints, Ints]]:
        """Yield the matching places of the document and of the other files, with the weight of their votes."""
        own = _Tokens(_plain("\n" + known), self._numbers)
        places, length = own.matches(ids)
        inside = places < len(own.ids) - 1  # the end of the text is the cursor itself
        yield (own, DOCUMENT, *_longest(places[inside], length[inside]))
        places, length = self._repository.matches(ids)
        first, last = self._ranges.get(document.path or "", (0, 0))
        ends = self._repository.ends[places] if len(places) else places
        other = (ends <= first) | (ends > last)
        yield (self._repository, 1.0, *_longest(places[other], length[other]))


def _plain(text: str) -> str:
    """Return a text without indentation, blanks at the ends of lines and blank lines; a last line end is kept."""
    return _BETWEEN_LINES.sub("\n", text)


def _longest(places: Ints, length: Ints) -> tuple[Ints, Ints]:
    order = np.argsort(-length, kind="stable")[:VOTES]
    return places[order], length[order]
