"""What the settled edits of a session teach, ready for use; kept from one request to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lsp_server.edits.edit_log import Edit
from lsp_server.edits.proposals import Taught, taught

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

    @classmethod
    def of(cls, edit: Edit) -> "PastEdit":
        """Return an unchanging copy."""
        return cls(edit.document, edit.start, edit.step, tuple(edit.old), tuple(edit.new))


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
            if known is None or (known[0].old, known[0].new) != (edit.old, edit.new):
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
    changed = Edit(edit.document, edit.start, list(edit.old), list(edit.new), edit.step).changed()
    return tuple(taught(edit.document, line, edit.step, old, new) for line, old, new in changed)
