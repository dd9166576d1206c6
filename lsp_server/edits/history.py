"""What the settled edits of a session teach, ready for use; kept from one request to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lsp_server.edits.changed_lines import GONE, blank_around
from lsp_server.edits.edit_log import Edit
from lsp_server.edits.proposals import Taught, taught
from lsp_server.edits.spread_calls import flat_change

USED: Final = 200
"""The newest changed lines that propose something."""


@dataclass(frozen=True)
class PastEdit:
    """One settled edit, as it was when it was read from the log."""

    document: str
    start: int
    step: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    def alone(self) -> "PastEdit":
        """Return the edit without the lines around it."""
        return replace(self, above=(), below=())

    @property
    def lines(self) -> tuple[object, ...]:
        """Everything that says what the edit teaches."""
        return self.old, self.new, self.above, self.below

    @classmethod
    def of(cls, edit: Edit) -> "PastEdit":
        """Return an unchanging copy."""
        return cls(edit.document, edit.start, edit.step, tuple(edit.old), tuple(edit.new), edit.above, edit.below)


@dataclass
class History:
    """Turns edits into what they teach; an edit is looked at once."""

    _known: dict[int, tuple[PastEdit, tuple[Taught, ...]]] = field(default_factory=dict)

    def lines(self, edits: Sequence[PastEdit]) -> list[Taught]:
        """Return what the newest edits teach, the newest last."""
        found: list[Taught] = []
        kept: dict[int, tuple[PastEdit, tuple[Taught, ...]]] = {}
        for edit in reversed(edits):
            known = self._known.get(edit.step)
            if known is None or known[0].lines != edit.lines:
                known = edit, _taught(edit)
            elif known[0] != edit:
                moved = edit.start - known[0].start
                known = edit, tuple(replace(t, uri=edit.document, line=t.line + moved) for t in known[1])
            kept[edit.step] = known
            found[:0] = known[1]
            if len(found) >= USED:
                break
        self._known = kept
        return found[-USED:]


def _taught(edit: PastEdit) -> tuple[Taught, ...]:
    lines = list(edit.old), list(edit.new)
    changed = Edit(edit.document, edit.start, *lines, edit.step, edit.above, edit.below).changed()
    found = [taught(edit.document, line, edit.step, old, new) for line, old, new in changed]
    blank = blank_around(edit.old, edit.new)
    if [one.lesson.new_text for one in found] == [GONE] * len(blank):
        found = [replace(one, blank=around) for one, around in zip(found, blank, strict=True)]
    whole = flat_change(edit.old, edit.new, edit.above, edit.below)
    if whole is not None:
        found.append(taught(edit.document, edit.start, edit.step, *whole, whole_call=True))
    return tuple(found)
