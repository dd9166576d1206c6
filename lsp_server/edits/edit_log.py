"""The edits of a session as they are made: keystrokes become old lines and new lines at a place.

Keystrokes that touch each other's lines are one edit. It is settled when the user types elsewhere, moves the cursor
away, pauses or saves; typing on at the same place continues it, and undoing it takes it back. Nothing is written to
the disk.

What an editor does by itself teaches nothing: changes at many places at once, changes of many lines, and changes of
several documents at the same time (a formatter, a branch switch, search and replace, a paste).
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lsp_server.edits.changed_lines import GONE, anchored, changed_blocks, changed_lines

KEPT: Final = 200
"""Settled edits that are kept."""

MAX_LINES: Final = 12
"""Edits of more lines, before or after, teach nothing."""

MAX_CHARS: Final = 4_000
MAX_PLACES: Final = 4
"""Changes at more places that arrive together were not typed."""

TOGETHER_S: Final = 0.25
"""Changes of two documents within this time were not typed."""

BURST: Final = 20
"""So many edits within ``BURST_S`` were not typed, though each came by itself: some editors replace so."""

BURST_S: Final = 1.0

CALM_S: Final = 0.1
"""A burst is over after this time without a change."""

AROUND: Final = 10
"""Lines above and below an edit that are kept with it: a statement that it is a part of begins and ends there."""

Around = tuple[tuple[str, ...], tuple[str, ...]]
"""The lines above other lines, and those below them."""


@dataclass
class Edit:
    """Lines that became other lines.

    :param start: the first line, from 0, as the document is now. :param step: ascending within a session.
    :param above: the lines above these when the edit began, at most ``AROUND``. :param below: those below them.
    """

    document: str
    start: int
    old: list[str]
    new: list[str]
    step: int
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """The line behind the last one."""
        return self.start + len(self.new)

    def changed(self) -> list[tuple[int, str, str]]:
        """Return the changed lines and blocks: number in the document as it is now, old text, new text."""
        above, below = "".join(self.above[-1:]), "".join(self.below[:1])
        blocks = self._anchored(changed_blocks(self.old, self.new, above, below))
        whole = {number for number, *_ in blocks}
        lines = [one for one in changed_lines(self.old, self.new) if one[0] not in whole]
        return [(self.start + there, old, new) for _, there, old, new in lines + blocks]

    def _anchored(self, blocks: Sequence[tuple[int, int, str, str]]) -> list[tuple[int, int, str, str]]:
        """Return blocks; those below a line without a word with the lines above it."""
        found = []
        for at, there, old, new in blocks:
            above = (*self.above, *self.old[:at]) if at >= 0 else self.above[:-1]
            anchor = anchored(old, above) if new != GONE else old
            if anchor is not None:
                found.append((at, there, anchor, new if anchor == old else anchor + new[len(old) :]))
        return found


@dataclass
class EditLog:
    """The edits of one session in all its documents; see the module. Not thread-safe.

    :ivar settled: oldest first. :ivar open: the edit that is being made, by document.
    :ivar version: grows whenever ``settled`` changes.
    :ivar taken_back: lines that were changed and changed back: the text before, the text that went again.
    """

    settled: list[Edit] = field(default_factory=list)
    open: dict[str, Edit] = field(default_factory=dict)
    version: int = 0
    taken_back: list[tuple[str, str]] = field(default_factory=list)
    _steps: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _last: tuple[str, float] = ("", -1e9)
    _begun: "deque[tuple[float, int]]" = field(default_factory=lambda: deque(maxlen=BURST))
    _burst_until: float = -1e9

    def begin(self, document: str, first: int, last: int, old: Sequence[str], around: "Around" = ((), ())) -> Edit:
        """Return the open edit that covers the lines ``first`` to ``last``; settles one that does not touch them.

        :param old: these lines before the change. :param around: the lines above and below them.
        """
        edit = self.open.get(document)
        if edit is not None and (last < edit.start or first >= edit.end):
            self.settle(document)
            edit = None
        if edit is None:
            edit = self.open[document] = Edit(document, first, list(old), list(old), next(self._steps), *around)
            self._begun.append((self._last[1], edit.step))
            return edit
        before = max(0, edit.start - first)
        behind = max(0, last + 1 - edit.end)
        edit.old[:0], edit.new[:0] = old[:before], old[:before]
        if behind:
            edit.old += old[len(old) - behind :]
            edit.new += old[len(old) - behind :]
        edit.start -= before
        edit.above = around[0] if before else edit.above
        edit.below = around[1] if behind else edit.below
        return edit

    def apply(self, edit: Edit, first: int, last: int, new: Sequence[str]) -> None:
        """Put the lines ``new`` in place of ``first`` to ``last``, which :meth:`begin` covered."""
        at = first - edit.start
        before = list(edit.new)
        edit.new[at : at + last + 1 - first] = new
        self._compare(edit, before)
        grown = len(new) - (last + 1 - first)
        if grown:
            self._shift(edit.document, last + 1, grown, but=edit)

    def typed(self, document: str, places: int, now: float) -> bool:
        """Whether changes that arrive together may have been typed; forgets those of another document just before.

        :param places: how many there are. :param now: seconds, of any clock that only goes forward.
        """
        other, when = self._last
        self._last = (document, now)
        if self._burst(now):
            return False
        if other != document and now - when <= TOGETHER_S:
            self.open.pop(other, None)
            return False
        return places <= MAX_PLACES

    def _burst(self, now: float) -> bool:
        """Whether a change is one of very many in a short time; forgets those before it."""
        if now < self._burst_until:
            self._burst_until = now + CALM_S
            return True
        if len(self._begun) < BURST or now - self._begun[0][0] > BURST_S:
            return False
        first = self._begun[0][1]
        self._begun.clear()
        self._burst_until = now + CALM_S
        self.settled = [edit for edit in self.settled if edit.step < first]
        self.open = {document: edit for document, edit in self.open.items() if edit.step < first}
        self.version += 1
        return True

    def skip(self, document: str, first: int, last: int, count: int) -> None:
        """Note a change that teaches nothing: ``count`` lines in place of ``first`` to ``last``."""
        self.settle(document)
        before = len(self.settled)
        self.settled = [e for e in self.settled if e.document != document or e.end <= first or e.start > last]
        self.version += before != len(self.settled)
        self._shift(document, last + 1, count - (last + 1 - first), but=None)

    def settle(self, document: str) -> bool:
        """End the edit that is being made in a document; returns whether there is a new settled edit."""
        edit = self.open.pop(document, None)
        if edit is None:
            return False
        if edit.old == edit.new:
            return False
        chars = max(sum(map(len, edit.old)), sum(map(len, edit.new)))
        if max(len(edit.old), len(edit.new)) > MAX_LINES or chars > MAX_CHARS:
            return False
        self.version += 1
        if self._undone(edit):
            return True
        for number in range(len(self.settled) - 1, max(-1, len(self.settled) - 21), -1):
            before = self.settled[number]
            if before.document == document and before.start == edit.start and before.new == edit.old:
                del self.settled[number]  # the edit goes on, or takes the earlier one back
                edit.old, edit.above, edit.below = before.old, before.above, before.below
                self._compare(edit, before.new)
                if edit.old == edit.new:
                    return True
                break
        self.settled.append(edit)
        del self.settled[:-KEPT]
        return True

    def _undone(self, edit: Edit) -> bool:
        """Whether an edit takes earlier ones back, in one step or in its last one; then they are forgotten.

        The edits of its lines are undone in thought, the newest first, until its lines are what it made of them. An
        editor takes several steps for an inserted line: its words, then the line.
        """
        start, lines, wanted = edit.start, list(edit.old), list(edit.new)
        chain: list[Edit] = []
        for before in reversed(self.settled):
            # Where it is once the later ones are undone.
            first = before.start - sum(len(one.new) - len(one.old) for one in chain if one.end <= before.start)
            if before.document != edit.document or not start - len(before.new) < first < start + len(lines):
                continue
            at = first - start
            if at >= 0 and lines[at : at + len(before.new)] == before.new:
                lines[at : at + len(before.new)] = before.old
            elif at <= 0 and before.new[-at : -at + len(lines)] == lines:
                wanted = [*before.new[:-at], *wanted, *before.new[-at + len(lines) :]]
                start, lines = first, list(before.old)
            else:
                return False
            chain.append(before)
            if lines == wanted:
                gone = {id(one) for one in chain}
                self.settled = [one for one in self.settled if id(one) not in gone]
                self._note_taken_back(chain)
                return True
        return False

    def _compare(self, edit: Edit, before: list[str]) -> None:
        """Note what was taken back by a change of an edit whose new lines were ``before``."""
        if edit.new == edit.old and before != edit.old:
            undone = replace(edit, new=before)
            self._note_taken_back([undone])

    def _note_taken_back(self, edits: Sequence[Edit]) -> None:
        for _, old, new in (change for edit in edits for change in edit.changed()):
            head = old.rfind("\n") + 1  # an offer names the last line alone
            self.taken_back.append((old[head:], new if new == GONE else new[head:]))
        del self.taken_back[:-KEPT]

    def forget(self, document: str) -> None:
        """Forget where the edits of a closed document are; what they teach stays, but for one that is half made."""
        self.open.pop(document, None)
        for edit in self.settled:
            if edit.document == document:
                edit.document = ""

    def lines(self, document: str) -> frozenset[int]:
        """Return the lines of a document that were edited, from 0."""
        edits = [edit for edit in self.settled if edit.document == document]
        if document in self.open:
            edits.append(self.open[document])
        return frozenset(number for edit in edits for number in range(edit.start, edit.end))

    def _shift(self, document: str, line: int, by: int, but: Edit | None) -> None:
        if by:
            for edit in self.settled:
                if edit is not but and edit.document == document and edit.start >= line:
                    edit.start += by
