"""What the user refused on the line of the cursor, so that it is not suggested there again.

Three things are refusals. The user types something else than a ghost text says (a Korean syllable on its way to what
the text says is nothing else): the text as it was offered and its rest from where the typing left it are refused. The
user presses Escape: the line gets no automatic suggestion any more. Accepted text is deleted again: what was deleted is
refused, and so is its rest while it is typed again.

A refusal ends when the cursor leaves the line, or when text is deleted from before its place. Texts are compared, not
positions, so the same text does not come back while blanks or a rule of dashes are typed
(:meth:`lsp_server.types.Request.refuses`).

Knows neither the protocol nor documents: a line is a number and a string, a column counts code points.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lsp_server.common_text import common_start
from lsp_server.hangul import is_composing
from lsp_server.server.line_edits import Edit, body, difference, moved, stands, text_from

REFUSALS: Final = 500
"""Refusals kept for a line; older ones are forgotten."""

ACCEPTED: Final = 16
"""Accepted texts of a document whose deletion is noticed."""

PAIRS: Final = frozenset({"()", "[]", "{}", "<>", '""', "''", "``"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What an automatic request at the cursor must respect.

    :param silent: after Escape, nothing is suggested.
    :param refused: texts that are not suggested, each from the place where it was refused; rests at the cursor too.
    :param new: refusals since the request before.
    """

    silent: bool = False
    refused: tuple[str, ...] = ()
    new: int = 0


@dataclass(slots=True)
class _Ghost:
    """The ghost text on screen: its rest at ``column``, and the text as it was offered at ``start``."""

    id: str
    column: int
    text: str
    start: int
    offered: str


@dataclass(slots=True)
class _Refusal:
    column: int
    text: str
    deleted: bool = False

    def follow(self, old: str, place: int, removed: int, inserted: int) -> bool:
        """Follow an edit of the line, whose text was ``old``; return whether the refusal holds."""
        if place >= self.column:
            return True
        if removed and not self.deleted:
            return False
        if removed and place + removed >= self.column:
            self.text, self.column = old[place : self.column] + self.text, place
            return True
        self.column += inserted - removed
        return True


@dataclass(slots=True)
class _Accepted:
    """Accepted text (it may have several lines) behind ``before`` on a line."""

    line: int
    before: str
    text: str


@dataclass(slots=True)
class _Line:
    """The line of the cursor.

    :param text: without its line end, as it was seen last. :param column: of the cursor.
    :param silent_from: the column of the cursor when Escape was pressed.
    :param new: refusals that :meth:`Refusals.asked` has not reported. :param passed: whether a ghost text was refused
        since :meth:`Refusals.changed` looked last.
    """

    number: int
    text: str
    column: int
    ghost: _Ghost | None = None
    silent_from: int | None = None
    refusals: list[_Refusal] = field(default_factory=list)
    new: int = 0
    passed: bool = False

    def refuse(self, *refusals: _Refusal) -> None:
        """Add refusals that are not known yet."""
        for one in refusals:
            if one.text.strip() and one not in self.refusals:
                self.refusals.append(one)
                self.new += 1
        del self.refusals[:-REFUSALS]

    def refuse_deleted(self, refusal: _Refusal) -> None:
        """Add a deleted text, unless it continues a deletion that is known."""
        known = (one for one in self.refusals if one.deleted and one.column == refusal.column)
        if not any(one.text.startswith(refusal.text) for one in known):
            self.refuse(refusal)

    def refuse_ghost(self, agreed: int = 0) -> None:
        """Refuse the ghost text, of whose rest ``agreed`` characters were typed."""
        ghost, self.ghost = self.ghost, None
        if ghost is not None:
            self.passed = True
            self.refuse(_Refusal(ghost.start, ghost.offered), _Refusal(ghost.column + agreed, ghost.text[agreed:]))


@dataclass(slots=True)
class _Document:
    """One document.

    :param count: of its lines. :param last_id: of the ghost text that was offered last. :param completed: its last
        character and where that was added: whether it was typed or accepted, only the editor's report tells.
    """

    count: int
    line: _Line | None = None
    accepted: list[_Accepted] = field(default_factory=list)
    last_id: str = ""
    completed: _Accepted | None = None

    def accept(self, accepted: _Accepted) -> None:
        """Remember an accepted text once."""
        if accepted.text and accepted not in self.accepted:
            self.accepted.append(accepted)
            del self.accepted[:-ACCEPTED]


class Refusals:
    """The refusals of every open document, by the document's key."""

    def __init__(self) -> None:
        self._documents: dict[str, _Document] = {}

    def forget(self, key: str) -> None:
        """Forget a document."""
        self._documents.pop(key, None)

    def changed(self, key: str, lines: Sequence[str], edits: Sequence[Edit]) -> bool:
        """Take a change of a document; return whether it refused the ghost text on screen.

        :param lines: of the document now, with their line ends.
        """
        document = self._documents.get(key)
        if document is None:
            return False
        for accepted in list(document.accepted):
            number = moved(accepted.line, edits)
            if number is None or number >= len(lines) or not lines[number].startswith(accepted.before):
                document.accepted.remove(accepted)
            else:
                accepted.line = number
        line, passed = document.line, False
        if line is not None:
            number = moved(line.number, edits)
            if None in edits and not _same_line(line, lines, document.count):
                number = _shifted(line, lines, document.count)
            document.line = line if number is not None and number < len(lines) else None
            if document.line is not None and number is not None:
                line.number = number
                _follow(document, line, lines)
            passed, line.passed = line.passed, False
        document.count = len(lines)
        return passed

    def asked(self, key: str, lines: Sequence[str], number: int, column: int) -> Standing:
        """Take the cursor of an automatic request, and return what the request must respect.

        :param lines: of the document now, with their line ends. :param number: of the cursor's line, from 0.
        """
        document = self._documents.setdefault(key, _Document(len(lines)))
        text = body(lines[number]) if number < len(lines) else ""
        line = document.line
        if line is None or line.number != number:
            line = document.line = _Line(number, text, column)
        _follow(document, line, lines)
        ghost = line.ghost
        if ghost is not None and column != ghost.column:
            passed = text[ghost.column : column]
            if column < ghost.column:
                line.ghost = None
            elif ghost.text.startswith(passed):
                ghost.column, ghost.text = column, ghost.text[len(passed) :]
            elif not is_composing(passed, ghost.text):
                line.refuse_ghost(common_start(passed, ghost.text))
        line.column = column
        _notice_deletions(document, line, lines)
        new, line.new = line.new, 0
        return Standing(line.silent_from is not None, _refused(line), new)

    def offered(self, key: str, identifier: str, text: str) -> None:
        """Take the ghost text that the last request got, as the text that accepting it adds at the cursor."""
        document = self._documents.get(key)
        if document is None or document.line is None:
            return
        line, before = document.line, document.line.ghost
        document.last_id, document.completed = identifier, None
        start, whole = line.column, text
        if before is not None and before.id == identifier:
            start, whole = before.start, before.offered
        line.ghost = _Ghost(identifier, line.column, text, start, whole)

    def accepted(self, identifier: str) -> None:
        """Take the accept of a ghost text that is still on screen: editors report it before or after the change."""
        for document in self._documents.values():
            line = document.line
            if document.last_id == identifier and document.completed is not None:
                document.accept(document.completed)
            if line is not None and line.ghost is not None and line.ghost.id == identifier:
                document.accept(_Accepted(line.number, line.text[: line.ghost.start], line.ghost.offered))

    def dismissed(self, identifier: str) -> list[str]:
        """Take an Escape on a ghost text: its line is silent. Return the keys of the documents that showed it."""
        found = [key for key, one in self._documents.items() if one.last_id == identifier and one.line is not None]
        for key in found:
            line = self._documents[key].line
            assert line is not None
            line.silent_from = line.column
            line.refuse_ghost()
        return found

    def silent(self, key: str) -> bool:
        """Whether the line of the cursor is silent now."""
        document = self._documents.get(key)
        return document is not None and document.line is not None and document.line.silent_from is not None


def _same_line(line: _Line, lines: Sequence[str], count: int) -> bool:
    """Whether a line stands at its number after the whole text was replaced."""
    if line.number >= len(lines):
        return False
    text = body(lines[line.number])
    return text == line.text or (len(lines) == count and (text.startswith(line.text[: line.column])))


def _shifted(line: _Line, lines: Sequence[str], count: int) -> int | None:
    """Return where a line stands if the replaced text grew or shrank above it; None if it does not stand there."""
    number = line.number + len(lines) - count
    return number if 0 <= number < len(lines) and body(lines[number]) == line.text else None


def _follow(document: _Document, line: _Line, lines: Sequence[str]) -> None:
    """Compare a line with its text before, and note what that says about the ghost text and the refusals."""
    old, new = line.text, body(lines[line.number]) if line.number < len(lines) else ""
    if old == new and line.ghost is None:
        return
    place, removed, inserted = difference(old, new, line.column)
    if old != new:
        line.refusals = [one for one in line.refusals if one.follow(old, place, len(removed), len(inserted))]
    if line.ghost is not None:
        _follow_ghost(document, line, lines, (place, removed, inserted))
    if old == new:
        return
    if removed and not new.strip() and line.silent_from is not None and place < line.silent_from:
        line.silent_from = None
    line.text = new
    line.column = place + (1 if inserted in PAIRS else len(inserted))


def _follow_ghost(document: _Document, line: _Line, lines: Sequence[str], change: tuple[int, str, str]) -> None:
    """Move the ghost text on by what was typed of it; refuse it where something else was typed."""
    ghost = line.ghost
    assert ghost is not None
    place, removed, inserted = change
    old, new = line.text, body(lines[line.number])
    before = old[: ghost.column]
    if "\n" in ghost.text and new.startswith(before) and stands(lines, line.number, ghost.column, ghost.text):
        document.accept(_Accepted(line.number, before, ghost.text))
        line.ghost = None
        return
    if not inserted:
        if old != new:
            line.ghost = None
        return
    if place + len(removed) == ghost.column and is_composing(inserted, removed + ghost.text):
        ghost.column, ghost.text = place, removed + ghost.text  # a whole syllable took the next consonant for a while
        return
    if place != ghost.column:
        ghost.column, ghost.start = min(place, ghost.column), min(place, ghost.start)
        line.refuse_ghost()
        return
    agreed = common_start(inserted, ghost.text)
    if is_composing(inserted[agreed:], ghost.text[agreed:]):
        ghost.column, ghost.text = ghost.column + agreed, ghost.text[agreed:]
        return
    if agreed < len(inserted) and not (agreed and inserted[agreed - 1 :] in PAIRS):
        line.refuse_ghost(agreed)
        return
    if agreed > 1:
        document.accept(_Accepted(line.number, before, inserted[:agreed]))
    elif agreed == len(ghost.text):
        document.completed = _Accepted(line.number, before, inserted[:agreed])
    ghost.column, ghost.text = ghost.column + agreed, ghost.text[agreed:]
    if not ghost.text:
        line.ghost = None


def _notice_deletions(document: _Document, line: _Line, lines: Sequence[str]) -> None:
    """Refuse what was deleted of accepted texts, where the deletion left the cursor's line."""
    for accepted in list(document.accepted):
        number, before = accepted.line, accepted.before
        if number >= len(lines) or not lines[number].startswith(before):
            document.accepted.remove(accepted)
            continue
        now = text_from(lines, number, len(before), len(accepted.text) + 200)
        kept = common_start(now, accepted.text)
        if kept == len(accepted.text):
            continue
        kept = len(accepted.text[:kept].rstrip())  # blanks and line ends stand there anyway
        head, gone = accepted.text[:kept], accepted.text[kept:]
        column = len((before + head).rsplit("\n", 1)[-1])
        if (first := gone.strip().split("\n", 1)[0]) and first in now[kept:].split("\n", 1)[0]:
            # Something was inserted into it: the rest still stands on the line.
            document.accepted.remove(accepted)
        elif number + head.count("\n") == line.number:
            stays = next((n for n in range(1, len(gone)) if gone[n:].strip() and now.startswith(gone[n:], kept)), None)
            line.refuse_deleted(_Refusal(column, gone[:stays], deleted=True))
            accepted.text = head
            if not head:
                document.accepted.remove(accepted)


def _refused(line: _Line) -> tuple[str, ...]:
    """Return the refused texts, and the rests of those that are being typed again."""
    found: dict[str, None] = {}
    for one in line.refusals:
        found[one.text] = None
        typed = line.text[one.column : line.column]
        if typed and one.text.startswith(typed) and len(typed) < len(one.text):
            found[one.text[len(typed) :]] = None
    return tuple(found)
