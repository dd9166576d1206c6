"""The next edit to offer: at the cursor's line, else elsewhere in its document, else in another file.

A text is offered where its probability is at least the threshold of the place. Offers that the user refused are not
made again, and edits whose offers were refused count less. Knows no protocol and no editor.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Final

from indexer.secrets.cover import COVER, PLACEHOLDER
from lsp_server.edits import places
from lsp_server.edits.changed_lines import ANCHOR, GONE, anchored, has_word, inserted_already, is_block
from lsp_server.edits.features import ELSEWHERE, HERE, OTHER_FILE, Place, compare, proven, rows
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.offered import Offer, Refusals, holds_secret
from lsp_server.edits.patterns import Patterns, misfit
from lsp_server.edits.probability import Judge
from lsp_server.edits.proposals import Evidence, Taught, align, once, proposals
from lsp_server.edits.second_look import (
    LOOKED_AT,
    TEXTS,
    TEXTS_HERE,
    Looked,
    SoFar,
    edited_around,
    looked,
    rows_elsewhere,
    rows_here,
)
from lsp_server.edits.spread_calls import spread_texts
from lsp_server.edits.thresholds import IN_A_ROW_FROM, Level, level
from lsp_server.edits.trials import Trials, foreseen
from lsp_server.edits.views import OtherFile, View
from lsp_server.edits.whole_blocks import whole

ELSEWHERE_HISTORY: Final = 12
"""The newest changed lines that propose something elsewhere."""

MAX_LINE: Final = 400
"""Longer lines get no offer, in characters."""

LEAST_CHECKED: Final = 0.1
"""Proposals that are less probable are shown nowhere, so they are not searched for secrets."""

PROVEN: Final = 0.9
"""The least probability at the cursor of a text that is proven (``features.proven``)."""

STEPS_FOR_FILES: Final = 2
"""So many edits have to agree before a line of another file is tried."""

STEPS_OFFERED: Final = 7
"""So many edits, the newest among them, have to agree before a line of another file is offered: people who made an edit
a few times often leave other files as they are."""

PLACES_IN_FILES: Final = 64
"""Lines of other files that are tried, at most; then no further file is looked at. Each takes about 1 ms."""

NEARLY: Final = 0.05
"""Of offers elsewhere that are so much less probable than the best one, at most, the nearest is made: the user goes
on from place to place, and what he leaves behind counts as left alone. Ten edits by pattern, followed from the second
place on: 104 offers with it, 112 with .1, 69 with the best one first. In commits 319 of 359 are right, 315 with
the nearest of all, 320 with the best one first (twelve repositories of role ``edits-before``)."""


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
            return 0.0
        row, evidence = self.rows[list(self.texts).index(text)], self.texts[text]
        return PROVEN if proven(row) or evidence.series or (evidence.joint and not is_block(text)) else 0.0


@dataclass(frozen=True)
class Search:
    """One search for the next edit.

    :param history: the newest last. :param stopped: whether to give up; asked before each line.
    :ivar searched: what was tried and what was left out, for the trace.
    """

    judge: Judge
    history: Sequence[Taught]
    refusals: Refusals
    stopped: Callable[[], bool] = lambda: False
    searched: Counter[str] = field(default_factory=Counter)

    def here(self, view: View, line: int) -> Offer | None:
        """Return the best offer for the line under the cursor."""
        if not self.history or line >= len(view.lines) or line in view.edited:
            return None
        found = [self.candidates(view, self.place_at(view, line))]
        offer = next(iter(self.sure(view, found)), None)
        return whole(offer, view, self.history) if offer is not None else None

    def unsure(self, view: View, line: int) -> list[tuple[str, float]]:
        """Return what edits make of the line under the cursor, however probable, the most probable text first."""
        proposed, table = self.looked_again(view, [self.candidates(view, self.place_at(view, line))])
        judged = self.judge.again(table, here=True) if table else []
        texts = [(one.text, probability) for one, probability in zip(proposed, judged, strict=True)]
        return sorted(texts, key=lambda text: -text[1])

    def elsewhere(self, view: View, but: int = -1) -> Offer | None:
        """Return the best offer for another line of a document.

        :param but: a line that is left out, from 0.
        """
        offers = [offer for offer in self.sure(view, self.everywhere(view, ELSEWHERE)) if offer.line != but]
        if not offers:
            return None
        last = self.last_line(view, but)
        nearly = (offer for offer in offers if offer.probability >= offers[0].probability - NEARLY)
        return whole(min(nearly, key=lambda offer: _away(offer.line - last)), view, self.history)

    def other_file(self, files: Iterable[OtherFile]) -> Offer | None:
        """Return the best offer in the first other document that has one.

        Documents with edits are left out: what stands there yet was left there (0 of 64 such offers were right).
        """
        tried, left = 0, 0
        for there in files:
            if there.view.edited:
                continue
            found = self.everywhere(there.view, OTHER_FILE, STEPS_FOR_FILES)
            for offer in self.sure(there.view, found):
                if self._goes_on(there.view, offer):
                    return offer
            self.searched["files"] += 1
            tried, left = tried + len(found), max(0, there.files - there.number - 1)
            if tried >= PLACES_IN_FILES:
                break
        self.searched["files_cut"] += left
        return None

    def _goes_on(self, view: View, offer: Offer) -> bool:
        """Whether enough edits of files of the same kind propose an offer in another file, the newest among them."""
        alike = any(_ending(uri) == _ending(view.uri) for uri, _ in offer.sources)
        return alike and len(offer.steps) >= STEPS_OFFERED and self.history[-1].step in offer.steps

    def looked_again(
        self, view: View, found: Sequence["Candidates"], *, blocks: bool = False
    ) -> tuple[list[Looked], list[list[float]]]:
        """Return the proposals that are worth a second look, and a row of features for each.

        :param blocks: look only at lines that are inserted or deleted; elsewhere in the document these are left out
            without it, since they have trees of their own.
        """
        here = _at_cursor(found)
        self._judge(found, here=here)
        proposed: list[Looked] = []
        for number, one in enumerate(found):
            known = zip(one.texts, one.first, one.rows, strict=True)
            texts = [text for text in known if not blocks or is_block(text[0])]
            if here:
                texts = sorted(texts, key=lambda text: -text[1])[:TEXTS_HERE]
            most, line = TEXTS_HERE if here else TEXTS, one.place.line
            proposed += looked(number, view.lines[line], texts, most, edited_around(line, view.edited))
        proposed = sorted(proposed, key=lambda one: -one.probability)[:LOOKED_AT]
        if here:
            return proposed, rows_here(proposed, self._so_far_here)
        if blocks or not _with_blocks(found):
            return proposed, rows_elsewhere(proposed, self._so_far, len(found))
        others = [number for number, one in enumerate(proposed) if not is_block(one.text)]
        table = rows_elsewhere(proposed, self._so_far, len(found), others)
        return [proposed[number] for number in others], table

    def _judge(self, found: Sequence["Candidates"], *, here: bool) -> None:
        """Put down the first probabilities of proposals that have none yet."""
        new = [one for one in found if not one.first]
        judged = iter(self.judge.probabilities([row for one in new for row in one.rows], here=here))
        for one in new:
            one.first.extend(islice(judged, len(one.rows)))

    @cached_property
    def _so_far(self) -> SoFar:
        return SoFar.of(self._lessons, self._lessons)

    @cached_property
    def _so_far_here(self) -> SoFar:
        """The same for the line under the cursor: blocks say little about the tokens of a single line."""
        lines = [one for one in self._lessons if one.new_text != GONE and "\n" not in one.new_text]
        return SoFar.of(lines, self._lessons)

    @cached_property
    def _lessons(self) -> list[Lesson]:
        """What the changed lines taught, the newest first."""
        return [source.lesson for source in reversed(once(self.history))]

    def sure(self, view: View, found: Sequence["Candidates"]) -> list[Offer]:
        """Return the offers that are sure after a second look, the most probable first."""
        proposed, table = self.looked_again(view, found)
        judged = self.judge.again(table, here=_at_cursor(found))
        best: dict[int, dict[str, float]] = {}
        for one, probability in zip(proposed, judged, strict=True):
            best.setdefault(one.place, {})[one.text] = probability
        if _with_blocks(found):
            proposed, table = self.looked_again(view, found, blocks=True)
            for one, probability in zip(proposed, self.judge.blocks_again(table), strict=True):
                best.setdefault(one.place, {})[one.text] = probability
        offers = []
        for number, texts in best.items():
            offer = self.best(view, found[number], [texts.get(text, 0.0) for text in found[number].texts])
            if offer is not None and offer.sure:
                offers.append(offer)
        return sorted(offers, key=lambda offer: -offer.probability)

    def everywhere(self, view: View, where: float, least: int = 1) -> list["Candidates"]:
        """Return what may become of lines of a document; nothing if the search was stopped."""
        told = places.in_document(view, self.history[-ELSEWHERE_HISTORY:], self.last_line(view, 0), least)
        self.searched["places"] += len(told.lines)
        self.searched["places_cut"] += told.cut
        fit = self.patterns.lines(view, self.last_line(view, 0)).difference(told.lines)
        lines = [*told.lines[: places.TRIED - len(fit)], *sorted(fit)]
        lines += sorted(self.of_spread(view, lines))
        return self.tried(view, where, lines, least)

    def tried(
        self, view: View, where: float, lines: Sequence[int], least: int, *, listed: bool = False
    ) -> list["Candidates"]:
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

    def candidates(self, view: View, place: Place, least: int = 1) -> "Candidates":
        """Return every text that earlier edits make of a line; nothing where fewer than ``least`` of them agree."""
        line = view.lines[place.line]
        if not line.strip() or len(line) > MAX_LINE:
            return Candidates(place, {}, [])
        if place.where == OTHER_FILE and (COVER in line or PLACEHOLDER in line):
            return Candidates(place, {}, [])  # the index does not know the line as it stands in the file
        history = self.told(place)
        head = self._head(view, place.line)
        found = proposals(head + line, history, far=place.where != HERE)
        self.patterns.add(found, head + line)
        if head:
            anchor = f"{head}{line}\n"
            found = {text[len(head) :]: one for text, one in found.items() if text.startswith(anchor)}
        for text in [text for text in found if "\n" in text and inserted_already(text, view.lines, place.line)]:
            del found[text]
        for age, at, text in self._spread(view, place.line, history):
            if at == place.line and text != line:
                found.setdefault(text, Evidence()).add("call", age)
        if found and place.where != OTHER_FILE and (row := self._row_next_to(view, place.line)) is not None:
            align(found, line, row)
        if least > 1 and all(len(_steps(evidence, history)) < least for evidence in found.values()):
            return Candidates(place, {}, [])
        trials = self._trials if place.where == HERE else self._trials_elsewhere
        return Candidates(place, found, rows(found, trials, view, place, self._foreseen, head) if found else [])

    def _head(self, view: View, at: int) -> str:
        """The lines above a line without a word that say what it is, where lines were inserted below such a one."""
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

    def level(self, view: View, of: "Candidates", text: str) -> Level:
        """Return which threshold counts for a text of a line."""
        row, history = dict(zip(of.texts, of.rows, strict=True))[text], self.told(of.place)
        sources = [history[-1 - age] for age in sorted(of.texts[text].edits)]
        line, common = view.lines[of.place.line], of.texts[text].joint
        if of.place.where != OTHER_FILE and not common and not of.least(text):
            head, newest = self._head(view, of.place.line), {source.step: source.lesson for source in reversed(sources)}
            common = -misfit(head + line, head + text, tuple(reversed(newest.values())))
        return level(of.place, row, line, text, [source.lesson for source in sources], common)

    def best(self, view: View, of: "Candidates", judged: Sequence[float]) -> Offer | None:
        """Return the most probable text of a line that was not refused; None for none, or where it holds a secret."""
        place, line, history = of.place, view.lines[of.place.line], self.told(of.place)
        best: tuple[float, str, Evidence] | None = None
        for (text, evidence), probability in zip(of.texts.items(), judged, strict=True):
            if self.refusals.refused(line, text):
                continue
            behind, left = _steps(evidence, history), None
            if place.where == HERE:
                left = self.refusals.left_like(line, [history[-1 - age].lesson.old_text for age in evidence.edits])
            probability = self.refusals.lowered(max(probability, of.least(text)), behind, left)
            if best is None or probability > best[0]:
                best = (probability, text, evidence)
        if best is None or (best[0] >= LEAST_CHECKED and holds_secret(best[1], view.uri)):
            return None
        ages = sorted(best[2].edits)
        sources = tuple((history[-1 - age].uri, history[-1 - age].line) for age in ages)
        steps = frozenset(_steps(best[2], history))
        sure = best[0] >= IN_A_ROW_FROM and best[0] >= self.level(view, of, best[1]).least(self.judge.thresholds)
        return Offer(view.uri, place.line, line, best[1], best[0], place.where, sources, steps, sure)


def _away(lines: int) -> int:
    """How far away a line counts: one above the newest edit twice, since people mostly go down."""
    return lines if lines > 0 else -2 * lines


def _ending(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[2]


def _with_blocks(found: Sequence[Candidates]) -> bool:
    """Whether lines may be inserted or deleted elsewhere in the document."""
    return any(one.place.where == ELSEWHERE and any(map(is_block, one.texts)) for one in found)


def _at_cursor(found: Sequence[Candidates]) -> bool:
    return any(one.place.where == HERE for one in found)


def _steps(evidence: Evidence, history: Sequence[Taught]) -> set[int]:
    return {history[-1 - age].step for age in evidence.edits}
