"""What earlier edits make of lines: of the one under the cursor, and of those of a document to which they lead.

Says which lines are tried, and for each text that one may become what speaks for it. How probable that is, and whether
it is offered, is not decided here (:mod:`lsp_server.edits.offers`).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from indexer.secrets.cover import COVER, PLACEHOLDER
from lsp_server.edits import places
from lsp_server.edits.changed_lines import ANCHOR, anchored, has_word, inserted_already, is_block, stands_near
from lsp_server.edits.features import ELSEWHERE, HERE, OTHER_FILE, Place, compare, proven, rows
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.patterns import Patterns
from lsp_server.edits.proposals import Evidence, Taught, align, proposals
from lsp_server.edits.spread_calls import spread_texts
from lsp_server.edits.sweeps import Sweeps
from lsp_server.edits.trials import Trials, foreseen
from lsp_server.edits.views import View

ELSEWHERE_HISTORY: Final = 12
"""The newest changed lines that propose something elsewhere."""

MAX_LINE: Final = 400
"""Longer lines get no offer, in characters."""

PROVEN: Final = 0.9
"""The least probability at the cursor of a text that is proven (``features.proven``)."""

SWEPT: Final = 0.8
"""The least probability of the next line of a change that goes on from line to line (``sweeps``): behind two such edits
32 of 42 were right, behind three 16 of 18, behind more all of 45 (five repositories of role ``edits-before``)."""


@dataclass(frozen=True)
class Candidates:
    """Every text that earlier edits make of a line, and for each a row of features.

    :ivar first: the first probability of each, once they were judged.
    """

    place: Place
    texts: dict[str, Evidence]
    rows: list[list[float]]
    first: list[float] = field(default_factory=list)

    def least(self, text: str) -> float:
        """Return how probable a text is at least, however rare the trees find it."""
        if self.place.where != HERE:
            return SWEPT if self.texts[text].swept else 0.0
        row, evidence = self.rows[list(self.texts).index(text)], self.texts[text]
        return PROVEN if proven(row) or evidence.series or (evidence.joint and not is_block(text)) else 0.0


@dataclass(frozen=True)
class PlaceSearch:
    """The search for lines that earlier edits may change, and for what they make of them.

    :param history: the newest last. :param stopped: whether to give up; asked before each line.
    :ivar searched: what was tried and what was left out, for the trace.
    """

    history: Sequence[Taught]
    stopped: Callable[[], bool] = lambda: False
    searched: Counter[str] = field(default_factory=Counter)

    def everywhere(self, view: View, where: float, least: int = 1) -> list[Candidates]:
        """Return what may become of lines of a document; nothing if the search was stopped."""
        told = places.in_document(view, self.history[-ELSEWHERE_HISTORY:], self.last_line(view, 0), least)
        self.searched["places"] += len(told.lines)
        self.searched["places_cut"] += told.cut
        fit = self.patterns.lines(view, self.last_line(view, 0)).difference(told.lines)
        lines = [*told.lines[: places.TRIED - len(fit)], *sorted(fit)]
        lines += sorted(self.of_spread(view, lines))
        swept = self._sweeps.next(view) if where == ELSEWHERE else None
        lines += [swept[0]] if swept is not None and swept[0] not in lines else []
        return self.tried(view, where, lines, least)

    def of_newest(self, view: View, where: float) -> list[Candidates]:
        """Return what may become of all lines that the newest edit may change, for a list to choose from."""
        near = places.in_document(view, self.history[-ELSEWHERE_HISTORY:], self.last_line(view, 0))
        lines = {*near.lines, *places.of_newest(view, self.history), *self.patterns.every_line(view)}
        return self.tried(view, where, sorted(lines | self.of_spread(view, lines)), 1, listed=True)

    def tried(
        self, view: View, where: float, lines: Sequence[int], least: int, *, listed: bool = False
    ) -> list[Candidates]:
        """Return what may become of these lines; nothing if the search was stopped.

        :param least: edits that have to agree. :param listed: see ``Place``.
        """
        last, sites = self.last_line(view, 0), min(len(lines), places.TRIED)
        found = []
        for line in lines:
            if self.stopped():
                return []
            found.append(self.candidates(view, Place(where, line, last, sites, listed), least))
        compare([one.rows for one in found])
        return found

    def place_at(self, view: View, line: int) -> Place:
        """Return the place of a line under the cursor."""
        return Place(HERE, line, self.last_line(view, line), 1)

    def last_line(self, view: View, other: int) -> int:
        """Return the line of the newest edit in a document, or another one if it has none."""
        return next((source.line for source in reversed(self.history) if source.uri == view.uri), other)

    @cached_property
    def _foreseen(self) -> float:
        return foreseen(self.history)

    @cached_property
    def patterns(self) -> Patterns:
        """What the newest edits have in common."""
        return Patterns(self.history[-ELSEWHERE_HISTORY:])

    @cached_property
    def _trials(self) -> Trials:
        return Trials(self.history)

    @cached_property
    def _trials_elsewhere(self) -> Trials:
        return Trials(self.history[-ELSEWHERE_HISTORY:])

    def candidates(self, view: View, place: Place, least: int = 1) -> Candidates:
        """Return every text that earlier edits make of a line; nothing where fewer than ``least`` of them agree."""
        line = view.lines[place.line]
        if not line.strip() or len(line) > MAX_LINE:
            return Candidates(place, {}, [])
        if place.where == OTHER_FILE and (COVER in line or PLACEHOLDER in line):
            return Candidates(place, {}, [])  # the index does not know the line as it stands in the file
        history = self.told(place)
        head = self.head(view, place.line)
        found = proposals(head + line, history, far=place.where != HERE)
        self.patterns.add(found, head + line)
        _add_declared(found, history)
        if head:
            anchor = f"{head}{line}\n"
            found = {text[len(head) :]: one for text, one in found.items() if text.startswith(anchor)}
        for text in [text for text in found if "\n" in text]:
            if inserted_already(text, view.lines, place.line) or stands_near(text, view.lines, place.line):
                del found[text]
        for age, at, text in self._spread(view, place.line, history):
            if at == place.line and text != line:
                found.setdefault(text, Evidence()).add("call", age)
        self._sweep(view, place, found)
        if found and place.where != OTHER_FILE and (row := self._row_next_to(view, place.line)) is not None:
            align(found, line, row)
        if least > 1 and all(len(steps_of(evidence, history)) < least for evidence in found.values()):
            return Candidates(place, {}, [])
        trials = self._trials if place.where == HERE else self._trials_elsewhere
        return Candidates(place, found, rows(found, trials, view, place, self._foreseen, head) if found else [])

    def of_signs(self, view: View) -> list[tuple[int, str]]:
        """Return all lines to which a change of signs alone can be done, with their new texts, for the same list."""
        return self._sweeps.everywhere(view)[: places.LISTED]

    @cached_property
    def _sweeps(self) -> Sweeps:
        return Sweeps(self.history)

    def _sweep(self, view: View, place: Place, found: dict[str, Evidence]) -> None:
        """Add what a change makes that goes on from line to line, at its next line."""
        swept = self._sweeps.next(view) if place.where != OTHER_FILE else None
        if swept is None or swept[0] != place.line:
            return
        if swept[1] not in found:
            found[swept[1]] = Evidence()
            for age in self._sweeps.ages:
                found[swept[1]].add("analogy", age)
        found[swept[1]].swept = True

    def head(self, view: View, at: int) -> str:
        """Return the lines above one without a word that say what it is, where lines were inserted below such a one."""
        line = view.lines[at]
        if not self._anchors or has_word(line):
            return ""
        return (anchored(line, view.lines[max(0, at - ANCHOR) : at]) or line)[: -len(line)]

    @cached_property
    def _anchors(self) -> bool:
        return any("\n" in source.lesson.old_text for source in self.history)

    def of_spread(self, view: View, lines: Collection[int]) -> set[int]:
        """Lines that change in calls over several lines around other ones, without these."""
        history = self.history[-ELSEWHERE_HISTORY:]
        found = {at for line in lines for _, at, _ in self._spread(view, line, history)}
        return found.difference(lines, view.edited)

    def _spread(self, view: View, line: int, history: Sequence[Taught]) -> Iterator[tuple[int, int, str]]:
        """What edits make of the call over several lines around a line: age of the edit, line, and its new text."""
        return spread_texts(view.lines, line, [source.lesson.call for source in reversed(history)])

    def _row_next_to(self, view: View, line: int) -> Lesson | None:
        """What the edit of the next line above taught, or of the next one below."""
        for other in (line - 1, line + 1):
            if other in view.edited:
                for source in reversed(self.history[-ELSEWHERE_HISTORY:]):
                    if source.line == other and source.uri == view.uri:
                        return source.lesson
        return None

    def told(self, place: Place) -> Sequence[Taught]:
        """Return the changed lines that propose something at a place, the newest last."""
        return self.history if place.where == HERE else self.history[-ELSEWHERE_HISTORY:]


def _add_declared(found: dict[str, Evidence], history: Sequence[Taught]) -> None:
    """Count edits of a function's declaration and of its calls as a pattern of theirs.

    What a call got where its function got a parameter, other calls need as well: the name of the parameter, or what was
    passed for it, such as ``null``. So the declaration counts as one edit more: with one call, of 15 proposals from .3
    on that had not been offered 13 were right (thirteen repositories with such commits, none of role ``edits``).
    """
    declared: dict[str, set[int]] = {}
    for one in history:
        brings = one.lesson.brings
        if brings is not None and brings.declares:
            declared.setdefault(brings.name, set()).add(one.step)
    if not declared:
        return
    for evidence in found.values():
        told = [history[-1 - age] for age in evidence.kinds.get("call", ())]
        calls = [(one.step, one.lesson.brings) for one in told if one.lesson.brings is not None]
        steps = {step for step, brings in calls if not brings.declares}
        for name in {brings.name for step, brings in calls if step in steps}:
            if name in declared:
                evidence.joint = max(evidence.joint, 1 + len(steps | declared[name]))


def steps_of(evidence: Evidence, history: Sequence[Taught]) -> set[int]:
    """Return the edits behind a text."""
    return {history[-1 - age].step for age in evidence.edits}
