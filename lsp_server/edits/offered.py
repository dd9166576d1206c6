"""What is offered, and what the user refused."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

REFUSED: Final = 1.2
"""How much the log-odds of a proposal fall for each refused offer of the same edits."""


LEFT: Final = 0.5
"""The same for each offer at the cursor that the user saw and left alone: he may come back to it."""


@dataclass(frozen=True)
class Offer:
    """A line and the text that it may become, or several lines that may be deleted together.

    :param document: its URI, or for a file that is not open its path in the repository.
    :param line: from 0. :param where: ``HERE``, ``ELSEWHERE`` or ``OTHER_FILE``.
    :param sources: the edits that propose it: document and line, the newest first. :param steps: their numbers.
    :param sure: whether it is probable enough to be shown without being asked for.
    :param model: the name of the model that wrote the text; empty for the text of a rule.
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

    @property
    def lines(self) -> list[str]:
        """The lines that change, as they are."""
        return self.old.split("\n")


@dataclass
class Refusals:
    """What the user refused in this session, and what he saw at the cursor and left alone.

    :ivar left: what he left alone: the line, and what it would have become. :ivar left_steps: of the edits behind it.
    """

    texts: set[tuple[str, str]] = field(default_factory=set)
    steps: Counter[int] = field(default_factory=Counter)
    left: set[tuple[str, str]] = field(default_factory=set)
    left_steps: Counter[int] = field(default_factory=Counter)

    def add(self, offer: Offer) -> None:
        """Count a refused offer."""
        for line in offer.lines:
            self.take_back(line, offer.new)
        self.steps.update(offer.steps)

    def leave(self, offer: Offer) -> None:
        """Count an offer at the cursor that the user left alone; the same one counts once."""
        if (offer.old, offer.new) not in self.left:
            self.left.add((offer.old, offer.new))
            self.left_steps.update(offer.steps)

    def accept(self, offer: Offer) -> None:
        """Forget what was left alone of edits of which an offer was accepted."""
        for step in offer.steps:
            del self.left_steps[step]

    def take_back(self, old: str, new: str) -> None:
        """Note that the user changed a line so and took it back."""
        self.texts.add((old.strip(), new.strip()))

    def refused(self, old: str, new: str) -> bool:
        """Whether the user refused or took back what would become of a line."""
        return (old.strip(), new.strip()) in self.texts

    def lowered(self, probability: float, steps: Iterable[int], *, here: bool) -> float:
        """Return a probability after the refusals of the same edits.

        :param here: whether it is one at the cursor, for which counts what was left alone too.
        """
        fall = max((REFUSED * self.steps[step] + LEFT * here * self.left_steps[step] for step in steps), default=0.0)
        if not fall or not 0 < probability < 1:
            return probability
        return 1 / (1 + math.exp(fall - math.log(probability / (1 - probability))))
