"""Numbers that grow from edit to edit: ``A = 1``, then ``B = 2``, so ``C = 3`` is next."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.lessons import Lesson, lesson
from lsp_server.edits.rules import differences
from lsp_server.edits.token_lines import render

LEAST: Final = 2
"""Edits that make a series."""

KEPT: Final = 16
"""Pairs of edits of which it is kept what comes next: a search asks for each of its lines."""


def next_of_series(lessons: Sequence[Lesson]) -> Lesson | None:
    """Return what the next edit of a series would have made of the newest one's line; None where they are no series.

    :param lessons: of the newest edits, the newest first.
    """
    return _next(lessons[0], lessons[1]) if len(lessons) >= LEAST else None


@lru_cache(KEPT)
def _next(newest: Lesson, before: Lesson) -> Lesson | None:
    if any("\n" in one.new_text or one.new_text == GONE for one in (newest, before)):
        return None
    if newest.old.kinds != before.old.kinds or newest.new.kinds != before.new.kinds:
        return None
    regions, _ = differences(newest.old, newest.new)
    if any(text.isdecimal() for i, j, _, _ in regions for text in newest.old.texts[i:j]):
        return None  # numbers that become others do not count edits
    come = [at for _, _, m, n in regions for at in range(m, n)]
    texts = list(newest.new.texts)
    grown = False
    for at in come:
        now, then = newest.new.texts[at], before.new.texts[at]
        if now == then:
            continue
        if not (now.isdecimal() and then.isdecimal()) or now in newest.old.words or int(now) <= int(then):
            return None
        texts[at] = str(2 * int(now) - int(then))
        grown = True
    if not grown:
        return None
    return lesson(newest.old_text, render(newest.new.indent, texts, newest.new.spaces, newest.new.tail))
