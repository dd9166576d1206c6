"""The next edit to offer: at the cursor's line, else elsewhere in its document, else in another file.

A text is offered where its probability is at least the threshold of the place. Offers that the user refused are not
made again, and edits whose offers were refused count less. Knows no protocol and no editor.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lsp_server.edits import places
from lsp_server.edits.probability import Judge
from lsp_server.edits.proposals import ELSEWHERE, HERE, OTHER_FILE, Evidence, Place, Taught, View, proposals, rows

ELSEWHERE_HISTORY: Final = 12
"""The newest changed lines that propose something elsewhere."""

REFUSED: Final = 1.2
"""How much the log-odds of a proposal fall for each refused offer of the same edits."""

PASSING: Final = 0.2
"""The cursor also passes lines that are to stay: an offer there has to be at least so probable without the cursor."""

MAX_LINE: Final = 400
"""Longer lines get no offer, in characters."""

STEPS_FOR_FILES: Final = 2
"""So many edits have to agree before another file is offered."""


@dataclass(frozen=True)
class Offer:
    """A line and the text that it may become.

    :param document: its URI, or for a file that is not open its path in the repository.
    :param line: from 0. :param where: ``HERE``, ``ELSEWHERE`` or ``OTHER_FILE``.
    :param sources: the edits that propose it: document and line, the newest first. :param steps: their numbers.
    """

    document: str
    line: int
    old: str
    new: str
    probability: float
    where: float
    sources: tuple[tuple[str, int], ...]
    steps: frozenset[int]


@dataclass
class Refusals:
    """What the user refused in this session."""

    texts: set[tuple[str, str]] = field(default_factory=set)
    steps: Counter[int] = field(default_factory=Counter)

    def add(self, offer: Offer) -> None:
        """Count a refused offer."""
        self.texts.add((offer.old.strip(), offer.new.strip()))
        self.steps.update(offer.steps)

    def lowered(self, probability: float, steps: Iterable[int]) -> float:
        """Return a probability after the refusals of the same edits."""
        times = max((self.steps[step] for step in steps), default=0)
        if not times or not 0 < probability < 1:
            return probability
        return 1 / (1 + math.exp(REFUSED * times - math.log(probability / (1 - probability))))


@dataclass(frozen=True)
class Search:
    """One search for the next edit.

    :param history: the newest last. :param stopped: whether to give up; asked before each line.
    """

    judge: Judge
    history: Sequence[Taught]
    refusals: Refusals
    stopped: Callable[[], bool] = lambda: False

    def here(self, view: View, line: int) -> Offer | None:
        """Return the best offer for the line under the cursor."""
        if not self.history or line >= len(view.lines) or line in view.edited:
            return None
        place = Place(HERE, line, self._last(view, line), 1)
        best = self._best(view, place, self.history)
        return best if best is not None and best.probability >= self.judge.thresholds[0] else None

    def elsewhere(self, view: View, but: int = -1) -> Offer | None:
        """Return the best offer for another line of a document.

        :param but: a line that is left out, from 0.
        """
        best: Offer | None = None
        for offer in self.all_in(view):
            if offer.line != but and (best is None or offer.probability > best.probability):
                best = offer
        return best if best is not None and best.probability >= self.judge.thresholds[1] else None

    def other_file(self, views: Iterable[View]) -> Offer | None:
        """Return the best offer in the first other document that has one."""
        for view in views:
            best: Offer | None = None
            for offer in self.all_in(view, OTHER_FILE):
                if len(offer.steps) >= STEPS_FOR_FILES and (best is None or offer.probability > best.probability):
                    best = offer
            if best is not None and best.probability >= self.judge.thresholds[2]:
                return best
        return None

    def all_in(self, view: View, where: float = ELSEWHERE) -> Iterator[Offer]:
        """Yield the best proposal for each line of a document that earlier edits may change, however probable."""
        recent = self.history[-ELSEWHERE_HISTORY:]
        last = self._last(view, 0)
        lines = places.in_document(view, recent, last)
        for line in lines:
            if self.stopped():
                return
            best = self._best(view, Place(where, line, last, len(lines)), recent)
            if best is not None:
                yield best

    def _last(self, view: View, other: int) -> int:
        """The line of the newest edit in a document."""
        return next((source.line for source in reversed(self.history) if source.uri == view.uri), other)

    def _best(self, view: View, place: Place, history: Sequence[Taught]) -> Offer | None:
        line = view.lines[place.line]
        if not line.strip() or len(line) > MAX_LINE:
            return None
        found = proposals(line, history)
        if not found:
            return None
        table = rows(line, found, history, view, place)
        best: tuple[float, str, Evidence] | None = None
        judged = self.judge.probabilities(table, here=place.where == HERE)
        if place.where == HERE:
            without = self.judge.probabilities([[ELSEWHERE, *row[1:]] for row in table], here=False)
            judged = [p if other >= PASSING else 0.0 for p, other in zip(judged, without, strict=True)]
        for (text, evidence), probability in zip(found.items(), judged, strict=True):
            if (line.strip(), text.strip()) in self.refusals.texts:
                continue
            probability = self.refusals.lowered(probability, _steps(evidence, history))
            if best is None or probability > best[0]:
                best = (probability, text, evidence)
        if best is None:
            return None
        ages = sorted(best[2].edits)
        sources = tuple((history[-1 - age].uri, history[-1 - age].line) for age in ages)
        steps = frozenset(_steps(best[2], history))
        return Offer(view.uri, place.line, line, best[1], best[0], place.where, sources, steps)


def _steps(evidence: Evidence, history: Sequence[Taught]) -> set[int]:
    return {history[-1 - age].step for age in evidence.edits}
