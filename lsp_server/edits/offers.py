"""The next edit to offer: at the cursor's line, else elsewhere in its document, else in another file.

A text is offered where its probability is at least the threshold of the place. Offers that the user refused are not
made again, and edits whose offers were refused count less. Knows no protocol and no editor.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from typing import Final

from indexer.secrets.masking import mask
from lsp_server.edits.changed_lines import GONE, is_block
from lsp_server.edits.features import ELSEWHERE, HERE, OTHER_FILE
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.offered import Offer, Refusals
from lsp_server.edits.patterns import misfit, renames_alone
from lsp_server.edits.place_search import Candidates, PlaceSearch, steps_of
from lsp_server.edits.probability import Judge
from lsp_server.edits.proposals import Evidence, Taught, once
from lsp_server.edits.prose import brings_sentence
from lsp_server.edits.same_changes import done_otherwise, in_other_block
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
from lsp_server.edits.thresholds import IN_A_ROW_FROM, UNLIKE, Level, level
from lsp_server.edits.views import OtherFile, View
from lsp_server.edits.whole_blocks import whole

LEAST_CHECKED: Final = 0.1
"""Proposals that are less probable are shown nowhere, so they are not searched for secrets."""

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

    @cached_property
    def places(self) -> PlaceSearch:
        """What the edits make of lines."""
        return PlaceSearch(self.history, self.stopped, self.searched)

    def here(self, view: View, line: int) -> Offer | None:
        """Return the best offer for the line under the cursor."""
        if not self.history or line >= len(view.lines) or line in view.edited:
            return None
        found = [self.places.candidates(view, self.places.place_at(view, line))]
        offer = next(iter(self.sure(view, found)), None)
        return whole(offer, view, self.history) if offer is not None else None

    def unsure(self, view: View, line: int) -> list[tuple[str, float]]:
        """Return what edits make of the line under the cursor, however probable, the most probable text first."""
        proposed, table = self.looked_again(view, [self.places.candidates(view, self.places.place_at(view, line))])
        judged = self.judge.again(table, here=True) if table else []
        texts = [(one.text, probability) for one, probability in zip(proposed, judged, strict=True)]
        return sorted(texts, key=lambda text: -text[1])

    def elsewhere(self, view: View, but: int = -1) -> Offer | None:
        """Return the best offer for another line of a document.

        In a document that has no edit yet, only the newest edit speaks for other lines, and for none to insert or
        delete: 180 of 207 such offers were right where a commit went on to a document, 21 of 35 that older edits
        alone proposed, and 50 of 78 with whole lines (fifteen repositories of role ``edits-before``).

        :param but: a line that is left out, from 0.
        """
        offers = [offer for offer in self.sure(view, self.places.everywhere(view, ELSEWHERE)) if offer.line != but]
        if not any(one.uri == view.uri for one in self.history):
            newest = self.history[-1].step if self.history else -1
            offers = [offer for offer in offers if newest in offer.steps and not is_block(offer.new)]
        if not offers:
            return None
        last = self.places.last_line(view, but)
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
            found = self.places.everywhere(there.view, OTHER_FILE, STEPS_FOR_FILES)
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
        self, view: View, found: Sequence[Candidates], *, blocks: bool = False
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

    def _judge(self, found: Sequence[Candidates], *, here: bool) -> None:
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

    def sure(self, view: View, found: Sequence[Candidates]) -> list[Offer]:
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

    def level(self, view: View, of: Candidates, text: str) -> Level:
        """Return which threshold counts for a text of a line."""
        if of.place.where == ELSEWHERE and of.texts[text].swept:
            return Level(int(ELSEWHERE), True)  # the way that the user goes tells the place, whatever names stand there
        row, history = dict(zip(of.texts, of.rows, strict=True))[text], self.places.told(of.place)
        sources = [history[-1 - age] for age in sorted(of.texts[text].edits)]
        line, common = view.lines[of.place.line], of.texts[text].joint
        if self.otherwise(view, of, text):
            return Level(int(of.place.where), True, held=True)
        if of.place.where != OTHER_FILE and not common and not of.least(text):
            head = self.places.head(view, of.place.line)
            newest = {source.step: source.lesson for source in reversed(sources)}
            lessons = tuple(reversed(newest.values()))
            if of.place.where != HERE or not renames_alone(line, text, lessons):
                common = -misfit(head + line, head + text, lessons)
            if of.place.where == ELSEWHERE and common <= -UNLIKE:
                # The same edit again says no more of what all have in common.
                others = {(one.old.texts, one.new.texts): one for one in reversed(lessons)}
                common = max(common, -misfit(head + line, head + text, tuple(reversed(others.values()))))
        return level(of.place, row, line, text, [source.lesson for source in sources], common, self._declared)

    @cached_property
    def _declared(self) -> dict[str, bool]:
        """The functions whose declarations got parameters, and whether calls of them got arguments."""
        brought = [one.lesson.brings for one in self.history if one.lesson.brings is not None]
        called = {one.name for one in brought if not one.declares}
        return {one.name: one.name in called for one in brought if one.declares}

    def otherwise(self, view: View, of: Candidates, text: str) -> bool:
        """Whether a text does to another thing what all of its edits did to one and the same."""
        history, evidence, at = self.places.told(of.place), of.texts[text], of.place.line
        sources = [history[-1 - age] for age in sorted(evidence.edits)]
        if (not evidence.joint or is_block(text)) and in_other_block(sources, view.lines[at], text, view, at):
            return True
        if len({source.step for source in sources}) == 1 and brings_sentence(view.lines[at], text):
            return True  # what one edit says in a string is of its own place
        return not evidence.joint and done_otherwise(evidence, sources, view.lines[at], text)

    def best(self, view: View, of: Candidates, judged: Sequence[float]) -> Offer | None:
        """Return the most probable text of a line that was not refused; None for none, or where it holds a secret."""
        place, line, history = of.place, view.lines[of.place.line], self.places.told(of.place)
        best: tuple[float, str, Evidence] | None = None
        for (text, evidence), probability in zip(of.texts.items(), judged, strict=True):
            if self.refusals.refused(line, text):
                continue
            behind, left = steps_of(evidence, history), None
            if place.where == HERE:
                left = self.refusals.left_like(line, [history[-1 - age].lesson.old_text for age in evidence.edits])
            probability = self.refusals.lowered(max(probability, of.least(text)), behind, left)
            if best is None or probability > best[0]:
                best = (probability, text, evidence)
        if best is None or (best[0] >= LEAST_CHECKED and holds_secret(best[1], view.uri)):
            return None
        ages = sorted(best[2].edits)
        behind_it = [history[-1 - age] for age in ages]
        sources = tuple((one.uri, one.line) for one in behind_it)
        edited = tuple(one.lesson.old_text for one in behind_it)
        steps = frozenset(steps_of(best[2], history))
        sure = best[0] >= IN_A_ROW_FROM and best[0] >= self.level(view, of, best[1]).least(self.judge.thresholds)
        return Offer(view.uri, place.line, line, best[1], best[0], place.where, sources, steps, sure, edited=edited)


@lru_cache(1_000)
def holds_secret(text: str, path: str) -> bool:
    """Whether a text has a secret in it, which is not repeated."""
    return mask(text, path)[1] > 0


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
