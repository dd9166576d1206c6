"""Lines that were deleted together are offered together: a line that may go takes the lines next to it along.

Each deleted line teaches by itself, so that one that stands alone elsewhere is found too.
"""

from collections.abc import Sequence
from dataclasses import replace

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.offered import Offer
from lsp_server.edits.proposals import Taught
from lsp_server.edits.views import View


def whole(offer: Offer, view: View, history: Sequence[Taught]) -> Offer:
    """Return an offer to delete a line with the lines that an edit behind it would delete above and below.

    :param history: changed lines, the newest last.
    """
    if offer.new != GONE:
        return offer
    for step in sorted(offer.steps, reverse=True):
        deleted = [one.lesson for one in history if one.step == step and one.lesson.new_text == GONE]
        for at in range(len(deleted) if len(deleted) > 1 else 0):
            lines = range(offer.line - at, offer.line - at + len(deleted))
            if lines.start >= 0 and lines.stop <= len(view.lines) and view.edited.isdisjoint(lines):
                texts = view.lines[lines.start : lines.stop]
                if all(map(_deletes, deleted, texts)):
                    return replace(offer, line=lines.start, old="\n".join(texts))
    return offer


def _deletes(lesson: Lesson, line: str) -> bool:
    return any(effect.text == GONE for effect in lesson.effects(line))
