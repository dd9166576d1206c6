"""The retrieval engine: completes at a cursor without a language model, and says why it shows something or nothing.

The ranker retrieves and ranks options, the gate decides word by word how much of the best one is probable enough, and
display rules decide whether an automatic request gets it. This module knows no protocol and no editor. One thread uses
an engine; only ``set_index`` may be called from another.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.config import Settings
from indexer.data_layout import own_gate_file
from indexer.text.lines import leading_blanks, line_end
from lsp_server.fitting.fitter import Fitter
from lsp_server.reasons import Reason
from lsp_server.retrieval.display_rules import rule_after_ranking, rule_before_search
from lsp_server.retrieval.gate import (
    LEAST,
    MORE_LINES,
    Allowed,
    Choice,
    Decision,
    Gate,
    decisions,
    least_next_word,
    line_probability,
    may_follow,
    ruled_out,
    with_expected_row,
)
from lsp_server.retrieval.ranker import Option, Ranked, Ranker, load_trees
from lsp_server.retrieval.refuted_words import RefutedWords
from lsp_server.retrieval.suggestions import SuggestionMaker, added
from lsp_server.retrieval.word_tree import SPELLED, WordTree, word_tree, words_of
from lsp_server.types import Answer, Document, ModelState, Request, Suggestion

if TYPE_CHECKING:
    from indexer.storage.reader import Index

INVOKED_LIMIT: Final = 3

GATE_WEIGHT: Final = 0.5
"""Weight of the gate's log-odds of a whole line in the order of the options; those of the ranker count fully.

In eight repositories that neither is fitted on, 121 of 1,088 first lines are right at line starts and 358 of 1,039
within lines; in the ranker's order 118 and 353, in the gate's 116 and 356."""

SURE: Final = 0.003
"""Probabilities nearer to 0 or 1 count as this near, so the ranker decides among lines that the gate finds hopeless."""

PART_CHECKS: Final = 8
"""Beginnings of a line whose syntax is checked for one key, at most."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class JudgedWords:
    """What the gate says about the words of the best options.

    :param words: the probability of each node of the tree, given the words before it.
    :param rule: says why a decision's part is not shown, whatever its probability; None if nothing is against it.
    :param make: makes the suggestion of a part of an option, or says why it cannot be shown.
    """

    tree: WordTree
    words: NDArray[np.float64]
    rule: Callable[[Decision], Reason | None]
    make: Callable[[Choice], Suggestion | Reason]


@dataclass(frozen=True, eq=False)
class Proposals:
    """The result of one retrieval.

    :param verdict: why an automatic request gets nothing; None if it gets ``shown``.
    :param shown: makes the suggestion for an automatic request, or returns why it cannot be shown.
    :param options: each makes the suggestion of a whole option, the most probable first; None where it does not fit.
    :param texts: what the options add to the line, in the same order.
    :param judged: the words of the options; None where nothing was found.
    :param trace: as in :class:`Answer`.
    """

    verdict: Reason | None
    trace: dict[str, Any] = field(default_factory=dict)
    shown: Callable[[], Suggestion | Reason] = lambda: Reason.NO_MATCH
    options: tuple[Callable[[], Suggestion | None], ...] = ()
    texts: tuple[str, ...] = ()
    judged: JudgedWords | None = None

    def automatic(self) -> Answer:
        """Return the answer to an automatic request: the probable part of the best option, or nothing."""
        best = self.shown() if self.verdict is None else self.verdict
        if isinstance(best, Reason):
            return Answer((), best, self.trace)
        return Answer((best,), Reason.SHOWN, self.trace)

    def invoked(self) -> Answer:
        """Return the answer to an invoked request: the best options that fit, whatever their probability."""
        found: list[Suggestion] = []
        for make in self.options:
            suggestion = make()
            if suggestion is not None:
                found.append(suggestion)
            if len(found) == INVOKED_LIMIT:
                break
        if found:
            return Answer(tuple(found), Reason.SHOWN, self.trace)
        missing = Reason.DOES_NOT_FIT if self.options else self.verdict or Reason.NO_MATCH
        return Answer((), missing, self.trace)


@cache
def _shipped() -> tuple[Any, Gate]:
    return load_trees(), Gate.shipped()


class RetrievalEngine:
    """Completes at cursors of one repository without a model.

    :param gate: used where the repository has no gate of its own; None for the shipped one.
    """

    def __init__(self, settings: Settings, index: "Index | None", *, gate: Gate | None = None) -> None:
        trees, shipped = _shipped()
        self._settings = settings
        self._gate = self._default_gate = gate or shipped
        self._ranker = Ranker(trees)
        self._fitter = Fitter()
        self._maker = SuggestionMaker(settings, self._fitter)
        self._second: tuple[object, dict[str, bool]] = (None, {})
        self._refuted: dict[str, RefutedWords] = {}
        self._pending: list[Index | None] = [index]

    @property
    def state(self) -> ModelState | None:
        """Return None: there is no model."""
        return None

    def set_index(self, index: "Index | None") -> None:
        """Use another generation from the next request on; may be called from any thread."""
        self._pending.append(index)

    def update(self, document: Document) -> None:
        """Take the new text of a document that was opened or changed, or of a file that changed on disk."""
        self._ranker.update(document)
        if not document.on_disk:
            self._fitter.update(document)

    def close(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._ranker.close(uri)
        self._fitter.forget(uri)
        self._refuted.pop(uri, None)

    def accepted(self, document: Document, offset: int) -> None:
        """Do nothing: retrieval is fast enough to begin with the request."""

    def prepare(self, stop: Callable[[], bool]) -> None:
        """Look up what the next key needs if it begins a word."""
        if not self._pending:
            self._ranker.prepare(stop)

    def stop(self) -> None:
        """Do nothing: there is no model to free."""

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Return at most one suggestion for an automatic request, up to three for an invoked one."""
        proposals = self.propose(request, cancelled)
        return proposals.automatic() if request.automatic else proposals.invoked()

    def propose(self, request: Request, cancelled: Callable[[], bool]) -> Proposals:
        """Retrieve and rank options, and judge whether an automatic request gets the best one."""
        started = time.perf_counter()
        while self._pending:
            self._use(self._pending.pop(0))
        if request.automatic and (reason := rule_before_search(request)):
            return Proposals(reason)
        ranked = self._ranker.rank(request.document, request.offset, cancelled)
        trace: dict[str, Any] = {"retrieve_ms": round(1e3 * (time.perf_counter() - started), 2)}
        if cancelled():
            return Proposals(Reason.CANCELLED, trace)
        if ranked is None or not ranked.options:
            return Proposals(Reason.NO_MATCH, trace)
        if request.new_form is not None:
            ranked = _as_edited(ranked, request.new_form)
        return self._judge(request, ranked, trace)

    def _judge(self, request: Request, ranked: Ranked, trace: dict[str, Any]) -> Proposals:
        """Return the proposals for ranked options."""
        tree, ranked = word_tree(ranked), self._maker.with_fitting_row(request, ranked)
        words = with_expected_row(ranked, tree, self._gate.probabilities(tree.rows))
        words = self._without_second_definitions(request, ranked, tree, words)
        words = self._without_refuted_words(request, ranked, tree, words, trace)
        precision = self._settings.precision
        tried = decisions(tree, words, precision, allowed_parts(request, self._fitter))
        decision = next(tried)
        trace |= {
            "matches": len(ranked.matches),
            "candidates": len(ranked.candidates.best),
            "longest": int(ranked.matches.length.max()),
            "probability": round(decision.probability, 4),
            "threshold": round(precision, 4),
            **({"thinned": True} if ranked.thinned else {}),
        }
        if decision.part is not None:
            trace["worth"] = round(decision.part.worth, 1)

        def make(choice: Choice) -> Suggestion | Reason:
            return self._make(request, ranked, choice, trace)

        def rule(decision: Decision) -> Reason | None:
            return rule_after_ranking(request, ranked, decision)

        def shown() -> Suggestion | Reason:
            first: Reason | None = None
            for found in chain((decision,), tried):
                if found.shown is None or rule(found) is not None:
                    break
                made = make(found.shown)
                if isinstance(made, Suggestion):
                    trace["probability"] = round(found.probability, 4)
                    return made
                first = first or made
            assert first is not None
            return first

        def whole(option: Option, probability: float) -> Callable[[], Suggestion | None]:
            return lambda: self._maker.make(request, ranked, option, probability, trace)

        ranking = _in_order(ranked, [line_probability(tree, words, option.text) for option in ranked.options])
        verdict = rule(decision)
        if verdict is not None:
            option, probability = max(ranking, key=itemgetter(1))
            text = option.text
            if decision.part is not None:
                option, text = ranked.options[decision.part.option], decision.part.text
                probability = decision.part.probability
            trace["held"] = {
                "text": text,
                "from": _place(ranked, option),
                "probability": round(probability, 4),
                "next_word": round(float(words[tree.children[0]].max(initial=0.0)), 4),
                "next_word_least": round(least_next_word(precision), 4),
            }
        texts = tuple(option.text for option, _ in ranking)
        judged = JudgedWords(tree, words, rule, make)
        return Proposals(verdict, trace, shown, tuple(whole(*one) for one in ranking), texts, judged)

    def _without_second_definitions(
        self, request: Request, ranked: Ranked, tree: WordTree, words: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the probability of each word, given that the line gives no name that its scope has already.

        Definitions, imports, labels, fields and keys: what is left of them becomes more probable.
        """
        context = ranked.cursor.line_context  # kept while one types in a line
        if self._second[0] is not context:
            self._second = (context, {})
        known = self._second[1]

        def second(text: str) -> bool:
            line = ranked.cursor.prefix + text
            if line not in known:
                known[line] = self._fitter.defined_twice(request.document, request.offset, text)
            return known[line]

        for option in ranked.options[:SPELLED]:
            if second(option.text):
                path = tree.path(words_of(option.text))
                words = ruled_out(tree, words, next((node for node in path if second(tree.text[node])), path[-1]))
        return words

    def _without_refuted_words(
        self, request: Request, ranked: Ranked, tree: WordTree, words: NDArray[np.float64], trace: dict[str, Any]
    ) -> NDArray[np.float64]:
        """Return the probability of each word, given which words the author did not write at such a place before."""
        refuted = self._refuted.setdefault(request.document.uri, RefutedWords())
        context, typed = ranked.cursor.line_context, ranked.cursor.prefix
        refuted.follow(context, context.before.lines, typed, context.predicted)
        weighed = refuted.weighed(context.before.lines, typed, tree, words)
        if weighed is not words:
            trace["refuted"] = True
        return weighed

    def _make(self, request: Request, ranked: Ranked, choice: Choice, trace: dict[str, Any]) -> Suggestion | Reason:
        """Return the suggestion that the gate chose, or why it cannot be shown."""
        part = replace(ranked.options[choice.option], text=choice.text.rstrip())
        keep = partial(self._keep, request, choice) if choice.ends else lambda lines: ((), choice.probability)
        made = self._maker.make(request, ranked, part, choice.probability, trace, keep, whole=choice.ends)
        if made is None:
            return Reason.DOES_NOT_FIT
        # What had to be cut, or stands behind the cursor already, may leave too little.
        return made if len(added(request, made).strip()) >= LEAST else Reason.SAVES_LITTLE

    def _keep(self, request: Request, choice: Choice, lines: Sequence[str]) -> tuple[Sequence[str], float]:
        """Return the lines that may follow as far as the gate expects each, and the probability of all the text.

        Each line is judged as if the user had typed all text before it and asked at its start.
        """
        document, probability = request.document, choice.probability
        text, behind = document.text[: request.offset] + choice.text.rstrip(), document.text[request.offset :]
        for number, line in enumerate(lines[:MORE_LINES]):
            blanks = leading_blanks(line)
            text += line_end(document.text) + blanks
            with self._ranker.looking_ahead(document.uri):
                ahead = replace(document, text=text + behind)
                ranked = self._ranker.rank(ahead, len(text), lambda: False)
            if ranked is None:
                return lines[:number], probability
            tree = word_tree(ranked)
            body = line[len(blanks) :]
            kept = line_probability(tree, self._gate.probabilities(tree.rows), body)
            if kept is None or not may_follow(probability, kept, self._settings.precision):
                return lines[:number], probability
            probability *= kept
            text += body
        return lines[:MORE_LINES], probability

    def _use(self, index: "Index | None") -> None:
        """Take an index, and the repository's own gate where ``ondol eval --fit-gate`` has made one."""
        self._ranker.set_index(index)
        self._fitter.set_index(index)
        if index is None:
            return
        own = own_gate_file(self._settings, index.root)
        try:
            self._gate = Gate.load(own)
        except FileNotFoundError:
            self._gate = self._default_gate
        except (OSError, ValueError) as error:
            log.warning("the repository's own gate is not used: %s", error)
            self._gate = self._default_gate


def allowed_parts(request: Request, fitter: Fitter) -> Allowed:
    """Return what keeps texts out of an automatic answer: refused ones, and parts that no code can end with."""
    checks = iter(range(PART_CHECKS))

    def allowed(text: str, ends: bool) -> bool:
        if ends or request.refuses(text):
            return ends and not request.refuses(text)
        return next(checks, None) is not None and fitter.may_end(request.document, request.offset, text)

    return allowed


def _as_edited(ranked: Ranked, new_form: Callable[[str], str | None]) -> Ranked:
    """Return the options with the changes that the user made to such lines in this session.

    An old form whose new form does not go on from what is typed stays as it is.
    """
    prefix, found = ranked.cursor.prefix, dict[str, Option]()
    for option in ranked.options:
        new = new_form(prefix + option.text)
        text = new[len(prefix) :].rstrip() if new is not None and new.startswith(prefix) else option.text
        if text:
            found.setdefault(text, replace(option, text=text))
    return replace(ranked, options=tuple(found.values()))


def _place(ranked: Ranked, option: Option) -> str:
    """Where an option's text comes from, as file:line."""
    source = ranked.provenance(option)
    return f"{source.path}:{source.line}"


def _in_order(ranked: Ranked, lines: list[float | None]) -> list[tuple[Option, float]]:
    """Return the options with the gate's probability of each, the best first.

    The ranker compares whole lines, and the gate sees which words they share, so their log-odds are added
    (``GATE_WEIGHT``).

    :param lines: the gate's probability of each option; None for those that it has not judged. They come last, with
        less than the others by the ranker's log-odds.
    """
    pairs = list(zip(ranked.options, lines, strict=True))
    found = [(option, one) for option, one in pairs if one is not None]
    found.sort(key=lambda pair: -(pair[0].score + GATE_WEIGHT * _log_odds(pair[1])))
    last = min((option.score for option, _ in found), default=ranked.options[0].score)
    least = min((one for _, one in found), default=0.5)
    for option in (option for option, one in pairs if one is None):
        odds = least / max(1 - least, 1e-9) * math.exp(min(0.0, option.score - last))
        found.append((option, min(odds / (1 + odds), least)))
    return found


def _log_odds(probability: float) -> float:
    likely = min(max(probability, SURE), 1 - SURE)
    return math.log(likely / (1 - likely))
