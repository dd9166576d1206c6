"""What a model is asked about the line under the cursor, and when its text is offered.

A model is asked where the rules have a text for the line that is not probable enough to be offered. It reads the
changes of the session and writes the line as it may be. Two sources that know nothing of each other then say the
same, or not: the text is offered if the model wrote by itself what the rules find most probable. A small model's other
texts are seldom right, however sure it is of them (``scripts/fit_line_model.py``). Knows no model and no editor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.features import HERE
from lsp_server.edits.offered import Offer
from lsp_server.edits.offers import Search, holds_secret
from lsp_server.edits.place_search import MAX_LINE
from lsp_server.edits.proposals import Taught
from lsp_server.edits.views import View

LEAST: Final = 0.4
"""The probability that the rules must give their best text. From there on 15 of 18 that the model wrote too were right
on the repositories that this was chosen on, 11 of 16 on four others; of those that it did not write about half."""

AGREED: Final = 0.75
"""The probability of a text that the rules and the model agree on: 26 of these 34."""

PAIRS: Final = 8
"""Changed lines that the model is shown, at most."""

STEPS: Final = 4
"""Changes are dropped from the front in steps of this size. Prompts then keep the same beginning for a while."""

LONGEST: Final = 200
"""Changed lines with more characters are not shown."""


@dataclass(frozen=True)
class Case:
    """A line for which the rules have a text that is not probable enough.

    :param old: the line. :param text: what it may become. :param probability: of that, by the rules.
    :param pairs: changed lines before and after, the newest last, without blanks around.
    """

    view: View
    line: int
    old: str
    text: str
    probability: float
    pairs: tuple[tuple[str, str], ...]


def case_at(search: Search, view: View, line: int, least: float = LEAST) -> Case | None:
    """Return the case of a line; None where the model is not asked.

    :param least: the least probability of the rules' best text.
    """
    old = view.lines[line] if line < len(view.lines) else ""
    if line in view.edited or not old.strip() or len(old) > MAX_LINE:
        return None
    text, probability = next(iter(search.unsure(view, line)), ("", 0.0))
    pairs = pairs_of(search.history)
    if probability < least or not pairs or text == GONE or "\n" in text or len(text) > MAX_LINE:
        return None
    if text.strip() == old.strip():  # the model is not shown blanks
        return None
    return Case(view, line, old, text, probability, pairs)


def pairs_of(history: Sequence[Taught]) -> tuple[tuple[str, str], ...]:
    """Return the changed lines that a model is shown, the newest last."""
    found: dict[tuple[str, str], None] = {}
    for source in history:
        before, after = source.lesson.old_text, source.lesson.new_text
        if after == GONE or "\n" in after or max(len(before), len(after)) > LONGEST:
            continue
        pair = before.strip(), after.strip()
        if all(pair) and pair[0] != pair[1]:
            found[pair] = None
    surplus = len(found) - PAIRS
    return tuple(found)[-(-surplus // STEPS) * STEPS if surplus > 0 else 0 :]


def agrees(case: Case, made: str) -> bool:
    """Return whether the model wrote what the rules propose.

    :param made: the model's text, without blanks around.
    """
    return bool(made) and made == case.text.strip()


def offer_of(case: Case, search: Search, made: str, model: str) -> Offer | None:
    """Return the offer after a model has written its text; None where the two do not agree, or nothing is to be shown.

    :param model: the model's name.
    """
    if not agrees(case, made) or search.refusals.refused(case.old, case.text):
        return None
    steps = frozenset(source.step for source in search.history[-len(case.pairs) :])
    left = search.refusals.left_like(case.old, [old for old, _ in case.pairs])
    probability = search.refusals.lowered(AGREED, steps, left)
    if probability < AGREED or holds_secret(case.text, case.view.uri):
        return None
    return Offer(case.view.uri, case.line, case.old, case.text, probability, HERE, (), steps, True, model)
