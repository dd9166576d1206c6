"""The rules that keep an automatic suggestion away, whatever its probability."""

import re
from typing import Final

from lsp_server.reasons import Reason
from lsp_server.retrieval.gate import LEAST, Decision
from lsp_server.retrieval.ranker import Ranked
from lsp_server.types import Request

NEXT_LINES: Final = 3
"""Lines below the cursor whose text is not suggested automatically."""

_NUMBER = re.compile(r"(?<![\w.])\d[\w.]*$")
_WORD = re.compile(r"\w")


def rule_before_search(request: Request) -> Reason | None:
    """Return the display rule that keeps an automatic request at this cursor silent, whatever is found."""
    text, offset = request.document.text, request.offset
    if _WORD.match(text[offset : offset + 1]) and _WORD.match(text[max(offset - 1, 0) : offset]):
        return Reason.IN_WORD
    return Reason.IN_NUMBER if _NUMBER.search(text[max(offset - 40, 0) : offset]) else None


def rule_after_ranking(request: Request, ranked: Ranked, decision: Decision) -> Reason | None:
    """Return why the probable part of the best option is not shown automatically; None if it is shown."""
    if decision.part is None:
        ends = ranked.ends is not None and ranked.ends > ranked.options[0].score
        return Reason.LINE_ENDS if ends else Reason.GATE
    if ranked.indentation(ranked.options[decision.part.option]):
        return Reason.INDENT_FIRST
    choice = decision.shown
    if choice is None:
        return Reason.SAVES_LITTLE
    return Reason.STANDS_BELOW if stands_below(request, ranked.options[choice.option].text) else None


def stands_below(request: Request, text: str) -> bool:
    """Return whether one of the next lines begins with the line that a text would make.

    :param text: all that is copied, also where only its beginning is sure enough to be shown: neighbours often begin
        alike, as methods with a receiver or rows of a table do.
    """
    before, behind = request.document.text[: request.offset], request.document.text[request.offset :]
    line = (before.rpartition("\n")[2] + text).strip()
    below = behind.split("\n", NEXT_LINES + 1)[1 : NEXT_LINES + 1]
    return len(line) > LEAST and any(one.strip().startswith(line) for one in below)
