"""Turns the editor's changes of a document into edits of its session's log, while they are applied."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from lsp_server.edits.edit_log import AROUND, Around, EditLog
from lsp_server.positions import body_length
from lsp_server.server.documents import Change, OpenDocument

REWRITTEN: Final = 3
"""A single change that puts others in place of more lines was not typed."""

LARGE: Final = 60
"""A change of more lines, before or after, is not looked at."""


def record(
    log: EditLog, key: str, document: OpenDocument, changes: Sequence[Change], apply: Callable[[Change], object]
) -> None:
    """Apply changes in their order, and note each in the log.

    :param apply: applies one change to the document.
    """
    typed = log.typed(key, len(changes), time.monotonic())
    for change in changes:
        lines = document.buffer.lines
        before = list(lines) if change.start is None else None
        count = len(lines)
        if change.start is not None and change.end is not None:
            last = min(max(change.start, change.end)[0], count - 1)
            first = min(change.start[0], last)
            old = _bodies(lines, first, last) if last - first < LARGE else []
            apply(change)
            grown = len(document.buffer.lines) - count
        else:
            apply(change)
            assert before is not None
            first, last = _differing(before, document.buffer.lines)
            grown = len(document.buffer.lines) - count
            if first > last + max(grown, 0):
                continue
            last = max(last, first)
            last = min(last, count - 1)
            old = [line[: body_length(line)] for line in before[first : last + 1]]
        now = last + 1 - first + grown
        if not typed or last - first >= LARGE or not 0 <= now <= LARGE or first + now > len(document.buffer.lines):
            log.skip(key, first, last, max(now, 0))
            continue
        new = _bodies(document.buffer.lines, first, first + now - 1)
        if _rewritten(old, new):
            log.skip(key, first, last, now)
            continue
        first += _trim(old, new)
        around = _around(document.buffer.lines, first, first + len(new))
        log.apply(log.begin(key, first, first + len(old) - 1, old, around), first, first + len(old) - 1, new)


def _bodies(lines: Sequence[str], first: int, last: int) -> list[str]:
    return [line[: body_length(line)] for line in lines[first : last + 1]]


def _around(lines: Sequence[str], first: int, end: int) -> Around:
    """The lines above a range of lines and below it."""
    above = _bodies(lines, max(0, first - AROUND), first - 1) if first else []
    return tuple(above), tuple(_bodies(lines, end, end + AROUND - 1))


def _trim(old: list[str], new: list[str]) -> int:
    """Leave out lines at both ends that stay, so that the next line is no part of the edit; one line stays in each.

    :returns: the number of lines left out at the beginning.
    """
    while len(old) > 1 and len(new) > 1 and old[-1] == new[-1]:
        del old[-1], new[-1]
    count = 0
    while len(old) > 1 and len(new) > 1 and old[0] == new[0]:
        del old[0], new[0]
        count += 1
    return count


def _rewritten(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether one change puts other lines in place of more lines than a person changes at once: a formatter does."""
    first, last = _differing(old, new)
    gone = last + 1 - first
    return gone > REWRITTEN and gone + len(new) - len(old) > 0


def _differing(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """The first and the last line of ``old`` that are other ones in ``new``."""
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    return first, len(old) - 1 - last
