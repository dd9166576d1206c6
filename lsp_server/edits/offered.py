"""What is offered, and what the user refused."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from lsp_server.edits.token_lines import is_name, parse
from lsp_server.spellings import parts_of

REFUSED: Final = 1.2
"""How much the log-odds of a proposal fall for each refused offer of the same edits."""

LEFT: Final = 1.2
"""The same for each offer at the cursor that the user saw at a place like it and left alone.

Of 28 edits by pattern in eleven languages 162 offers were right with .5, .8 and 1.2; 146, 131 and 108 were wrong.
"""

LEFT_KEPT: Final = 200
"""Offers that were left alone and are kept, the newest: as many as there are changed lines that propose something
(``history.USED``); older ones are mostly of edits that say nothing any more. All are looked at for each text of the
cursor's line, which takes .14 ms with 200 and took 60 ms with 5,000."""

REFUSED_KEPT: Final = 1_000
"""Refused texts and edits that are kept, the newest. At most ``history.USED`` changed lines propose something, so older
refusals are mostly of edits that say nothing any more."""


@dataclass(frozen=True)
class Offer:
    """A line and the text that it may become, or several lines that may be deleted together.

    :param document: its URI, or for a file that is not open its path in the repository.
    :param line: from 0. :param where: ``HERE``, ``ELSEWHERE`` or ``OTHER_FILE``.
    :param sources: the edits that propose it: document and line, the newest first. :param steps: their numbers.
    :param sure: whether it is probable enough to be shown without being asked for.
    :param model: the name of the model that wrote the text; empty for the text of a rule.
    :param edited: the lines of the edits that propose it, before they were changed.
    """

    document: str
    line: int
    old: str
    new: str
    probability: float
    where: float
    sources: tuple[tuple[str, int], ...]
    steps: frozenset[int]
    sure: bool
    model: str = ""
    edited: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The lines that change, as they are."""
        return self.old.split("\n")


@dataclass
class Refusals:
    """What the user refused in this session, and what he saw at the cursor and left alone.

    :ivar texts: lines that were refused and what they would have become, with the edits that were counted for it, the
        newest last; at most ``REFUSED_KEPT``.
    :ivar steps: how many offers of an edit were refused; at most so many edits.
    :ivar left: what he left alone: the line, and what it would have become, with the edits behind it; at most
        ``LEFT_KEPT``.
    :ivar apart: of that how often each edit was left alone, where an offer of the edit was accepted since at a place
        that something tells from it (:meth:`left_like`); at most ``LEFT_KEPT``.
    """

    texts: dict[tuple[str, str], Counter[int]] = field(default_factory=dict)
    steps: Counter[int] = field(default_factory=Counter)
    left: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    apart: dict[tuple[str, str], Counter[int]] = field(default_factory=dict)

    def add(self, offer: Offer) -> None:
        """Count a refused offer."""
        for line in offer.lines:
            self.take_back(line, offer.new)
        self.texts[offer.lines[0].strip(), offer.new.strip()].update(offer.steps)
        self.steps.update(offer.steps)
        for step in sorted(self.steps)[:-REFUSED_KEPT]:
            del self.steps[step]

    def leave(self, offer: Offer) -> None:
        """Count an offer at the cursor that the user left alone; the same one counts once."""
        self.left.setdefault((offer.old, offer.new), offer.steps)
        if len(self.left) > LEFT_KEPT:
            del self.left[next(iter(self.left))]

    def accept(self, offer: Offer) -> None:
        """Forget what was left alone of edits of which an offer was accepted, where nothing tells the places apart."""
        common, here = _common(offer.edited), _words(offer.old)
        for place, steps in list(self.left.items()):
            if not steps & offer.steps:
                continue
            telling = common - _words(place[0])
            if telling and telling <= here:
                self.apart[place] = self.apart.pop(place, Counter[int]()) + Counter(steps & offer.steps)
            self.left[place] = steps - offer.steps
        self.left = {place: rest for place, rest in self.left.items() if rest}
        for place in list(self.apart)[:-LEFT_KEPT]:
            del self.apart[place]

    def take_back(self, old: str, new: str) -> None:
        """Note that the user changed a line so and took it back."""
        change = (old.strip(), new.strip())
        self.texts[change] = self.texts.pop(change, Counter())
        if len(self.texts) > REFUSED_KEPT:
            del self.texts[next(iter(self.texts))]

    def made(self, old: str, new: str) -> None:
        """Note that the user changed a line so by himself: redone, or typed after all, it is no longer refused.

        The edits behind it count as before then.
        """
        for step, times in self.texts.pop((old.strip(), new.strip()), Counter[int]()).items():
            self.steps[step] = max(0, self.steps[step] - times)
        self.apart.pop((old, new), None)

    def refused(self, old: str, new: str) -> bool:
        """Whether the user refused or took back what would become of a line."""
        return (old.strip(), new.strip()) in self.texts

    def lowered(self, probability: float, steps: Iterable[int], left: Counter[int] | None = None) -> float:
        """Return a probability after the refusals of the same edits.

        :param left: how often each edit was left alone at places like this one, for an offer at the cursor.
        """
        falls = (REFUSED * self.steps[step] + (LEFT * left[step] if left else 0.0) for step in steps)
        fall = max(falls, default=0.0)
        if not fall or not 0 < probability < 1:
            return probability
        return 1 / (1 + math.exp(fall - math.log(probability / (1 - probability))))

    def left_like(self, line: str, edited: Sequence[str]) -> Counter[int]:
        """Return how often each edit was left alone at lines that nothing tells from this one.

        What all edited lines have in common and a line lacks tells it apart: the part ``get`` of a name tells
        ``getSize()``, ``getName()`` from ``isEmpty()``. A place that has all of it is not one that the user passed by.

        :param edited: the lines of the edits before they were changed.
        """
        found: Counter[int] = Counter()
        if not self.left and not self.apart:
            return found
        common, here = _common(edited), _words(line)
        for (old, _), steps in self.left.items():
            telling = common - _words(old)
            if not telling or not telling <= here:
                found.update(steps)
        for (old, _), times in self.apart.items():
            if not common - _words(old) <= here:
                found.update(times)
        return found


def _common(edited: Sequence[str]) -> frozenset[str]:
    """What several edited lines have in common; nothing of a single one."""
    return frozenset.intersection(*map(_words, edited)) if len(edited) > 1 else frozenset()


@lru_cache(2_048)
def _words(line: str) -> frozenset[str]:
    """The tokens of a line, and the parts of its names."""
    words = parse(line).words
    return words | {part.lower() for name in words if is_name(name) for part in parts_of(name)}
