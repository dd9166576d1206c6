"""Makes a suggestion of an option of the ranker: fitted to the text behind the cursor, with the lines that follow."""

from typing import Final

from indexer.config import Settings
from indexer.secrets.masking import mask
from indexer.text.lines import line_end
from lsp_server.retrieval import fit_line
from lsp_server.retrieval.next_lines import indentation, next_lines
from lsp_server.retrieval.ranker import Option, Ranked
from lsp_server.types import Request, Suggestion

MULTI_LINE_PROBABILITY: Final = 0.5
"""Probability of the first line from which following lines are added."""


def make_suggestion(
    request: Request, ranked: Ranked, option: Option, probability: float, settings: Settings
) -> Suggestion | None:
    """Return an option as a suggestion, if it fits the text behind the cursor and the editor's popup."""
    cursor = ranked.cursor
    fitting = fit_line.fit(option.text, cursor.rest)
    if fitting is None:
        return None
    text, replaced = fitting
    # The index holds no secret that the rules know, but open documents may; such a copy is not shown.
    path = request.document.path or ""
    if not text.strip() or mask(cursor.prefix + text, path)[1] > 0:
        return None
    multi_line = settings.multi_line and probability >= MULTI_LINE_PROBABILITY
    if multi_line and not cursor.rest.strip() and not replaced:
        lines = next_lines(ranked, option, settings.max_lines - 1)
        if lines and not mask("\n".join(lines), path)[1]:
            text = line_end(request.document.text).join([text, *lines])
    width = ranked.indentation(option)
    if width:  # invoked on a line that is not indented yet
        blanks = indentation(cursor.prefix, cursor.line_context.before.lines, width)
        text = "\n".join(blanks + line if line.strip() else line for line in text.split("\n"))
    start = request.offset
    if request.popup is not None:
        typed = request.document.text[request.popup.start : request.offset]
        if not (typed + text).startswith(request.popup.text):
            return None
        start, text = request.popup.start, typed + text
    source = (ranked.provenance(option),)
    return Suggestion(text, start, request.offset + replaced, probability, "retrieval", source)
