"""The completion engine: a cursor in, suggestions out, with the reason for each and for their absence.

It puts the parts together: retrieval ranks continuations, the gate says how sure that is, and manners decide what of it
is shown unasked. It knows no protocol and no editor. One thread uses it; ``set_index`` may come from another.
"""

import logging
import re
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from indexer.data_layout import own_gate_file
from indexer.secrets.masking import mask
from indexer.text.lines import line_end
from lsp_server.reasons import Reason
from lsp_server.retrieval import fit_line
from lsp_server.retrieval.gate import Gate, inputs
from lsp_server.retrieval.next_lines import carry_on, indentation
from lsp_server.retrieval.ranker import Option, Ranked, Retrieval, load_forest
from lsp_server.types import Answer, Document, ModelState, Provenance, Request, Suggestion

if TYPE_CHECKING:
    from indexer.storage.reader import Index

"""A gate fitted on the repository's own history, in its data directory."""

INVOKED_LIMIT: Final = 3
CARRY_ON: Final = 0.5
"""Probability of the first line from which the following ones are worth a look."""

SOURCES: Final = ("live", "open", "copy", "search", "pattern", "earlier", "series")
"""How ``Provenance.kind`` calls the sources of places."""

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"(?<![\w.])\d[\w.]*$")
_WORD = re.compile(r"\w")
_REST_OF_WORD = re.compile(r"\w+[\s)\]},;:]*$")


@cache
def _shipped() -> tuple[Any, Gate]:
    return load_forest(), Gate.load()


class RetrievalEngine:
    """Completes at cursors of one repository."""

    def __init__(self, settings: Settings, index: "Index | None", *, gate: Gate | None = None) -> None:
        forest, shipped = _shipped()
        self._settings = settings
        self._gate = self._shipped_gate = gate or shipped
        self._retrieval = Retrieval(forest)
        self._pending: list[Index | None] = [index]

    @property
    def state(self) -> ModelState | None:
        """Return None: there is no model."""
        return None

    def set_index(self, index: "Index | None") -> None:
        """Uses another generation from the next request on; may be called from any thread."""
        self._pending.append(index)

    def update(self, document: Document) -> None:
        """A document was opened or changed; what it says can be found from now on."""
        self._retrieval.update(document)

    def close(self, uri: str) -> None:
        """A document was closed."""
        self._retrieval.close(uri)

    def accepted(self, document: Document, offset: int) -> None:
        """Do nothing: retrieval is fast enough to begin with the request."""

    def stop(self) -> None:
        """Do nothing: there is no model to free."""

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Suggestions for a request: at most one for an automatic one, up to three for one that the user made."""
        started = time.perf_counter()
        while self._pending:
            self._use(self._pending.pop(0))
        if request.automatic and (reason := _unwelcome(request)):
            return Answer((), reason)
        ranked = self._retrieval.rank(request.document, request.offset, cancelled)
        trace: dict[str, Any] = {"retrieve_ms": _milliseconds(started)}
        if cancelled():
            return Answer((), Reason.CANCELLED, trace)
        if ranked is None or not ranked.options:
            return Answer((), Reason.NO_MATCH, trace)
        probability = self._gate.probability(inputs(ranked))
        threshold = self._gate.threshold(self._settings.precision)
        trace |= {
            "places": len(ranked.places),
            "candidates": len(ranked.candidates.best),
            "longest": int(ranked.places.length.max()),
            "probability": round(probability, 4),
            "threshold": round(threshold, 4),
        }
        if request.automatic:
            reason = _silence(request, ranked, probability, threshold)
            if reason:
                return Answer((), reason, trace)
        suggestions = self._suggestions(request, ranked, probability)
        trace["total_ms"] = _milliseconds(started)
        return Answer(suggestions, Reason.SHOWN if suggestions else Reason.DOES_NOT_FIT, trace)

    def _use(self, index: "Index | None") -> None:
        """Takes an index, and the repository's own gate where ``ondol eval --fit-gate`` has made one."""
        self._retrieval.set_index(index)
        if index is None:
            return
        own = own_gate_file(self._settings, index.root)
        try:
            self._gate = Gate.load(own)
        except FileNotFoundError:
            self._gate = self._shipped_gate
        except (OSError, ValueError) as error:
            log.warning("the repository's own gate is not used: %s", error)
            self._gate = self._shipped_gate

    def _suggestions(self, request: Request, ranked: Ranked, probability: float) -> tuple[Suggestion, ...]:
        limit = 1 if request.automatic else INVOKED_LIMIT
        made: list[Suggestion] = []
        for option in ranked.options:
            if len(made) == limit:
                break
            # The gate judges the best option; each later one is less probable by its distance in log-odds.
            odds = probability / max(1 - probability, 1e-9) * 2.718281828 ** (option.score - ranked.options[0].score)
            suggestion = self._suggestion(request, ranked, option, min(odds / (1 + odds), probability))
            if suggestion is not None:
                made.append(suggestion)
            elif request.automatic:
                break
        return tuple(made)

    def _suggestion(self, request: Request, ranked: Ranked, option: Option, probability: float) -> Suggestion | None:
        """An option as a suggestion, if it fits the text behind the cursor and the editor's popup."""
        scene = ranked.scene
        fitting = fit_line.fit(option.text, scene.rest)
        if fitting is None:
            return None
        text, replaced = fitting
        # The index holds no secret that the rules know; open documents may, and what is copied from them is not shown.
        path = request.document.path or ""
        if not text.strip() or mask(scene.prefix + text, path)[1] > 0:
            return None
        if self._settings.multi_line and probability >= CARRY_ON and not scene.rest.strip() and not replaced:
            lines = carry_on(ranked, option, self._settings.max_lines - 1)
            if lines and not mask("\n".join(lines), path)[1]:
                text = line_end(request.document.text).join([text, *lines])
        step = _steps_in(ranked, option)
        if step > 0:  # asked for on a line that is not indented yet
            blanks = indentation(scene.prefix, scene.frame.before.lines, step)
            text = "\n".join(blanks + line if line.strip() else line for line in text.split("\n"))
        start = request.offset
        if request.popup is not None:
            typed = request.document.text[request.popup.start : request.offset]
            whole = typed + text
            if not whole.startswith(request.popup.text):
                return None
            start, text = request.popup.start, whole
        return Suggestion(text, start, request.offset + replaced, probability, "retrieval", _provenance(ranked, option))


def _unwelcome(request: Request) -> Reason | None:
    """Why nothing is shown unasked at such a cursor, whatever it might be; None if something may be."""
    text, offset = request.document.text, request.offset
    if _WORD.match(text[offset : offset + 1]) and _WORD.match(text[max(offset - 1, 0) : offset]):
        return Reason.IN_WORD
    return Reason.IN_NUMBER if _NUMBER.search(text[max(offset - 40, 0) : offset]) else None


def _silence(request: Request, ranked: Ranked, probability: float, threshold: float) -> Reason | None:
    """Why the best option is not shown unasked; None if it is."""
    best = ranked.options[0]
    if probability < threshold:
        return Reason.GATE
    if ranked.ends is not None and ranked.ends > best.score:
        return Reason.LINE_ENDS
    if ranked.scene.readings[-1].partial and request.popup is None and _REST_OF_WORD.fullmatch(best.text):
        return Reason.FINISHES_WORD
    return Reason.INDENT_FIRST if _steps_in(ranked, best) else None


def _steps_in(ranked: Ranked, option: Option) -> int:
    """Columns of the indentation that a line which has none yet belongs at."""
    scene, places = ranked.scene, ranked.places
    if scene.prefix:
        return 0
    step = int(places.indent[option.place] - places.previous[option.place])
    return max(0, int(scene.frame.previous_indents[scene.line]) + step)


def _provenance(ranked: Ranked, option: Option) -> tuple[Provenance, ...]:
    places = ranked.places
    origin = ranked.origins.origin(int(places.origin[option.place]))
    kind = SOURCES[int(places.source[option.place])]
    return (Provenance(origin.path, origin.first + int(places.line[option.place]) + 1, kind),)


def _milliseconds(started: float) -> float:
    return round(1e3 * (time.perf_counter() - started), 2)
