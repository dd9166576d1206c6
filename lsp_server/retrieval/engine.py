"""The retrieval engine: completes at a cursor without a language model, and says why it shows something or nothing.

The ranker retrieves and ranks options, the gate estimates how probable the best one is, and display rules decide
whether an automatic request gets it. This module knows no protocol and no editor. One thread uses an engine; only
``set_index`` may be called from another.
"""

import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from indexer.data_layout import own_gate_file
from lsp_server.fitting.fitter import Fitter
from lsp_server.reasons import Reason
from lsp_server.retrieval.gate import Gate, inputs
from lsp_server.retrieval.ranker import Option, Ranked, Ranker, load_trees
from lsp_server.retrieval.suggestions import SuggestionMaker
from lsp_server.types import Answer, Document, ModelState, Request, Suggestion

if TYPE_CHECKING:
    from indexer.storage.reader import Index

INVOKED_LIMIT: Final = 3

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"(?<![\w.])\d[\w.]*$")
_WORD = re.compile(r"\w")
_REST_OF_WORD = re.compile(r"\w+[\s)\]},;:]*$")


@dataclass(frozen=True, eq=False)
class Proposals:
    """The result of one retrieval.

    :param verdict: why an automatic request gets nothing; None if it gets the best option.
    :param count: options that were found.
    :param suggest: makes an option's suggestion by its number, best first; None where the option does not fit.
    :param trace: as in :class:`Answer`.
    """

    verdict: Reason | None
    trace: dict[str, Any] = field(default_factory=dict)
    count: int = 0
    suggest: Callable[[int], Suggestion | None] = lambda number: None

    def automatic(self) -> Answer:
        """Return the answer to an automatic request: the best option, or nothing."""
        best = self.suggest(0) if self.verdict is None else None
        if best is None:
            return Answer((), self.verdict or Reason.DOES_NOT_FIT, self.trace)
        return Answer((best,), Reason.SHOWN, self.trace)

    def invoked(self) -> Answer:
        """Return the answer to an invoked request: the best options that fit, whatever their probability."""
        found: list[Suggestion] = []
        for number in range(self.count):
            suggestion = self.suggest(number)
            if suggestion is not None:
                found.append(suggestion)
            if len(found) == INVOKED_LIMIT:
                break
        if found:
            return Answer(tuple(found), Reason.SHOWN, self.trace)
        missing = Reason.DOES_NOT_FIT if self.count else self.verdict or Reason.NO_MATCH
        return Answer((), missing, self.trace)


@cache
def _shipped() -> tuple[Any, Gate]:
    return load_trees(), Gate.load()


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
        self._pending: list[Index | None] = [index]

    @property
    def state(self) -> ModelState | None:
        """Return None: there is no model."""
        return None

    def set_index(self, index: "Index | None") -> None:
        """Use another generation from the next request on; may be called from any thread."""
        self._pending.append(index)

    def update(self, document: Document) -> None:
        """Take the new text of a document that was opened or changed."""
        self._ranker.update(document)

    def close(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._ranker.close(uri)
        self._fitter.forget(uri)

    def accepted(self, document: Document, offset: int) -> None:
        """Do nothing: retrieval is fast enough to begin with the request."""

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
        if request.automatic and (reason := _rule_before_search(request)):
            return Proposals(reason)
        ranked = self._ranker.rank(request.document, request.offset, cancelled)
        trace: dict[str, Any] = {"retrieve_ms": round(1e3 * (time.perf_counter() - started), 2)}
        if cancelled():
            return Proposals(Reason.CANCELLED, trace)
        if ranked is None or not ranked.options:
            return Proposals(Reason.NO_MATCH, trace)
        probability = self._gate.probability(inputs(ranked))
        threshold = self._gate.threshold(self._settings.precision)
        trace |= {
            "matches": len(ranked.matches),
            "candidates": len(ranked.candidates.best),
            "longest": int(ranked.matches.length.max()),
            "probability": round(probability, 4),
            "threshold": round(threshold, 4),
        }
        verdict = Reason.GATE if probability < threshold else _rule_after_ranking(request, ranked)

        def suggest(number: int) -> Suggestion | None:
            option = ranked.options[number]
            sure = _option_probability(ranked, option, probability)
            return self._maker.make(request, ranked, option, sure, trace)

        return Proposals(verdict, trace, len(ranked.options), suggest)

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


def _rule_before_search(request: Request) -> Reason | None:
    """Return the display rule that keeps an automatic request at this cursor silent, whatever is found."""
    text, offset = request.document.text, request.offset
    if _WORD.match(text[offset : offset + 1]) and _WORD.match(text[max(offset - 1, 0) : offset]):
        return Reason.IN_WORD
    return Reason.IN_NUMBER if _NUMBER.search(text[max(offset - 40, 0) : offset]) else None


def _rule_after_ranking(request: Request, ranked: Ranked) -> Reason | None:
    """Return the display rule that keeps the best option from being shown automatically."""
    best = ranked.options[0]
    if ranked.ends is not None and ranked.ends > best.score:
        return Reason.LINE_ENDS
    if ranked.cursor.readings[-1].partial and request.popup is None and _REST_OF_WORD.fullmatch(best.text):
        return Reason.FINISHES_WORD
    return Reason.INDENT_FIRST if ranked.indentation(best) else None


def _option_probability(ranked: Ranked, option: Option, probability: float) -> float:
    """Return an option's probability: the gate's for the best one, less for later ones by the ranker's log-odds."""
    odds = probability / max(1 - probability, 1e-9) * math.exp(option.score - ranked.options[0].score)
    return min(odds / (1 + odds), probability)
