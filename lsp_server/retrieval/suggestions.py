"""Makes a suggestion of an option of the ranker: with the lines that follow, fitted to its place."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from indexer.config import Settings
from indexer.text.lines import columns, leading_blanks
from lsp_server.fitting.fitter import Fitter, traced
from lsp_server.fitting.indentation import BEGINS_BLOCK, deepened, width_of
from lsp_server.fitting.place import Fitted
from lsp_server.retrieval.next_lines import next_lines, source_unit
from lsp_server.retrieval.ranker import Option, Ranked
from lsp_server.types import Request, Suggestion

MULTI_LINE_PROBABILITY: Final = 0.5
"""Probability of the first line from which following lines are added to a suggestion that was requested manually."""

_BEGINS_LIKE: Final = re.compile(r"[)\]}]|end\b|[\w\"'.$<>/-]+\s*:(?:\s|$)|(?:case|default|else|elif|elsif|when)\b")
"""Text that may stand as deep as the line above though that begins a block: an end, a label, a key."""

Keep = Callable[[Sequence[str]], tuple[Sequence[str], float]]
"""Takes the lines that may follow, and returns those to keep and the probability of all the text."""


class SuggestionMaker:
    """Makes suggestions of options.

    :param fitter: fits their texts; the model's texts are fitted by the same.
    """

    def __init__(self, settings: Settings, fitter: Fitter) -> None:
        self._settings = settings
        self._fitter = fitter

    def make(
        self,
        request: Request,
        ranked: Ranked,
        option: Option,
        probability: float,
        trace: dict[str, Any],
        keep: Keep | None = None,
        whole: bool = True,
    ) -> Suggestion | None:
        """Return an option as a suggestion, or None where it does not fit; ``trace`` says what was cut, or why not.

        :param keep: decides about the lines that may follow; None for all of them, if the first is probable enough.
        :param whole: False for the beginning of a line.
        """
        cursor = ranked.cursor
        unit = self._fitter.unit(request.document, request.offset)
        blanks = leading_blanks(cursor.prefix) or _indentation(ranked, option, unit)
        lines = [option.text]
        likely = keep is not None or probability >= MULTI_LINE_PROBABILITY
        if self._settings.multi_line and likely and not cursor.rest.strip():
            following = next_lines(ranked, option, self._settings.max_lines - 1, blanks, unit)
            kept, probability = keep(following) if keep and following else (following, probability)
            lines += kept
        if not cursor.prefix:  # invoked on a line that is not indented yet
            lines[0] = blanks + lines[0]
        text, automatic = "\n".join(lines), keep is not None
        result = self._fitter.fit(request.document, request.offset, text, whole=whole, automatic=automatic)
        fitted = traced(result, trace)
        if fitted is None:
            return None
        start, text = request.offset, fitted.text
        if request.popup is not None:
            typed = request.document.text[request.popup.start : request.offset]
            if not (typed + text).startswith(request.popup.text):
                return None
            start, text = request.popup.start, typed + text
        source = (ranked.provenance(option),)
        return Suggestion(text, start, fitted.end, probability, "retrieval", source)

    def with_fitting_row(self, request: Request, ranked: Ranked) -> Ranked:
        """Return the options without the expected row as a likely one, if it loses words at its place.

        The rows above say nothing of what is left of such a row.
        """
        row = ranked.expected
        if row is None or ranked.cursor.rest.strip():  # what stands behind the cursor may be the row's own end
            return ranked
        text, automatic = ranked.options[0].text, request.automatic
        result = self._fitter.fit(request.document, request.offset, text, whole=row.ends, automatic=automatic)
        whole = isinstance(result, Fitted) and not any(map(str.isalnum, text[len(result.text) :]))
        return ranked if whole else replace(ranked, expected=None)


def added(request: Request, suggestion: Suggestion) -> str:
    """Return what a suggestion adds to the document.

    The typed part of the popup's entry, and the text behind the cursor that it puts there again, are left out.
    """
    typed = request.offset - suggestion.start
    return suggestion.text[typed:].removesuffix(request.document.text[request.offset : suggestion.end])


def _indentation(ranked: Ranked, option: Option, unit: str | None) -> str:
    """Return the blanks that an option needs on a line that has none yet; none behind typed text."""
    if ranked.cursor.prefix:
        return ""
    width = ranked.indentation(option)
    above = next((line for line in reversed(ranked.cursor.line_context.before.lines) if line.strip()), "")
    blanks, source = leading_blanks(above), source_unit(ranked, option)
    step = width - columns(blanks)
    # A step from the line above is another one where only one of both lines begins a block.
    if not step and BEGINS_BLOCK.search(above) and not _BEGINS_LIKE.match(option.text):
        copied, line = ranked.source(option.match)
        over = next((one for at in range(line - 1, -1, -1) if (one := copied.lines[at]).strip()), "")
        step = 0 if BEGINS_BLOCK.search(over) else width_of(source or unit or "    ")
    return deepened(blanks, step, source, unit or source or "    ")
