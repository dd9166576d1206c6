"""Lines that were deleted together are offered together: a line that may go takes the lines next to it along.

Each deleted line teaches by itself, so that one that stands alone elsewhere is found too. Blank lines teach nothing;
they go where they went before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.offered import Offer
from lsp_server.edits.proposals import Taught
from lsp_server.edits.views import View

Rows = list[Lesson | None]
"""Deleted lines in their order; None for a blank one."""


def whole(offer: Offer, view: View, history: Sequence[Taught]) -> Offer:
    """Return an offer to delete a line with the lines that an edit behind it would delete above and below.

    :param history: changed lines, the newest last.
    """
    if offer.new != GONE:
        return offer
    for step in sorted(offer.steps, reverse=True):
        for rows in _forms([one for one in history if one.step == step and one.lesson.new_text == GONE]):
            for at in [at for at, lesson in enumerate(rows) if lesson is not None]:
                lines = range(offer.line - at, offer.line - at + len(rows))
                if lines.start >= 0 and lines.stop <= len(view.lines) and view.edited.isdisjoint(lines):
                    texts = view.lines[lines.start : lines.stop]
                    if all(map(_deletes, rows, texts)):
                        return replace(offer, line=lines.start, old="\n".join(texts))
    return offer


def _forms(deleted: Sequence[Taught]) -> Iterator[Rows]:
    """Yield what one edit deleted, with the blank lines around it and then without those at its ends."""
    rows: Rows = []
    for one in deleted:
        above, below = one.blank
        rows += [*[None] * above, one.lesson, *[None] * below]
    if len(rows) > len(deleted):
        yield rows
    while rows and rows[0] is None:
        del rows[0]
    while rows and rows[-1] is None:
        del rows[-1]
    if len(rows) > 1:
        yield rows


def _deletes(lesson: Lesson | None, line: str) -> bool:
    if lesson is None:
        return not line.strip()
    return any(effect.text == GONE for effect in lesson.effects(line))
