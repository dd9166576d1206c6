"""Turns the editor's changes of a document into edits of its session's log, while they are applied."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lsp_server.edits.edit_log import AROUND, Around, EditLog
from lsp_server.positions import body_length
from lsp_server.server.documents import Change, OpenDocument
from lsp_server.server.on_disk import is_on_disk

REWRITTEN: Final = 3
"""A single change that puts others in place of more lines was not typed."""

LARGE: Final = 60
"""A change of more lines, before or after, is not looked at."""


@dataclass(frozen=True)
class _Noted:
    """What one change did: the lines ``first`` to ``last`` became ``count`` lines.

    :param old: these lines, from ``start`` on, without what stays at both ends. :param new: what they became.
    :param around: the lines above and below the new ones. :param typed: whether a person may have made the change.
    """

    first: int
    last: int
    count: int
    typed: bool = False
    start: int = 0
    old: Sequence[str] = ()
    new: Sequence[str] = ()
    around: Around = ((), ())


class EditRecorder:
    """Notes the changes of documents as edits.

    The first change of a saved document is compared with its file. The same lines mean that another program changed
    the file and the editor read it again, or that the editor saved before the change arrived here. So such a change
    waits: it counts if the editor says at once that it saved.
    """

    def __init__(self) -> None:
        self._unsaved: set[str] = set()
        self._waiting: dict[str, list[_Noted]] = {}

    def change(
        self,
        log: EditLog,
        key: str,
        document: OpenDocument,
        changes: Sequence[Change],
        apply: Callable[[Change], object],
    ) -> None:
        """Apply changes in their order, and note each in the log.

        :param apply: applies one change to the document.
        """
        self.settle(log, key)
        typed = log.typed(key, len(changes), time.monotonic())
        noted = [one for change in changes if (one := _applied(document, change, apply)) is not None]
        if key in self._unsaved or not is_on_disk(document):
            self._unsaved.add(key)
            _note(log, key, noted, typed)
        elif typed:
            self._waiting[key] = noted
        else:
            _note(log, key, noted, typed=False)

    def saved(self, log: EditLog, key: str) -> None:
        """Note a change that has waited as one of the user: the editor saved it."""
        _note(log, key, self._waiting.pop(key, ()), typed=True)
        self._unsaved.discard(key)

    def settle(self, log: EditLog, key: str) -> None:
        """Note a change that has waited as none of the user."""
        _note(log, key, self._waiting.pop(key, ()), typed=False)

    def forget(self, key: str) -> None:
        """Forget a document that was closed."""
        self._unsaved.discard(key)
        self._waiting.pop(key, None)


def _note(log: EditLog, key: str, noted: Sequence[_Noted], typed: bool) -> None:
    for one in noted:
        if typed and one.typed:
            last = one.start + len(one.old) - 1
            log.apply(log.begin(key, one.start, last, one.old, one.around), one.start, last, one.new)
        else:
            log.skip(key, one.first, one.last, one.count)


def _applied(document: OpenDocument, change: Change, apply: Callable[[Change], object]) -> _Noted | None:
    """Apply a change; return what it did, or None if that is nothing."""
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
            return None
        last = min(max(last, first), count - 1)
        old = [line[: body_length(line)] for line in before[first : last + 1]]
    now = last + 1 - first + grown
    if last - first >= LARGE or not 0 <= now <= LARGE or first + now > len(document.buffer.lines):
        return _Noted(first, last, max(now, 0))
    new = _bodies(document.buffer.lines, first, first + now - 1)
    if _rewritten(old, new):
        return _Noted(first, last, now)
    start = first + _trim(old, new)
    around = _around(document.buffer.lines, start, start + len(new))
    return _Noted(first, last, now, True, start, old, new, around)


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
