"""The regions that the user changed last, in any open document.

A rename that begins in one of them often continues at the cursor. This module keeps a few lines of each.
"""

from collections import OrderedDict
from dataclasses import dataclass

from lsp_server.common_text import common_ends
from lsp_server.types import Document

_KEPT = 8
_MARGIN = 3
_LONGEST = 12


@dataclass(frozen=True, slots=True)
class Edit:
    """A changed region as it is now; lines ``[start, end)`` count from 0."""

    uri: str
    path: str
    start: int
    end: int
    text: str


class RecentEdits:
    """The regions that changed last. Every version of a document is passed to :meth:`note`."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._edits: OrderedDict[tuple[str, int], Edit] = OrderedDict()

    def note(self, document: Document) -> None:
        """Record what changed since the version before; the first version of a document is no edit."""
        before = self._texts.get(document.uri)
        self._texts[document.uri] = document.text
        if before is None or before == document.text:
            return
        start, end = changed(before, document.text)
        first = document.text.count("\n", 0, start)
        last = first + document.text.count("\n", start, end) + 1
        low, high = max(0, first - _MARGIN), min(last + _MARGIN, first + _LONGEST)
        lines = document.text.split("\n")[low:high]
        for key, edit in list(self._edits.items()):
            if edit.uri == document.uri and edit.start <= high and low <= edit.end:
                del self._edits[key]  # an older state of the same region
        edit = Edit(document.uri, document.path or "", low, low + len(lines), "\n".join(lines) + "\n")
        self._edits[document.uri, low] = edit
        while len(self._edits) > _KEPT:
            self._edits.popitem(last=False)

    def close(self, uri: str) -> None:
        """Forget the text of a closed document, but not its edits."""
        self._texts.pop(uri, None)

    def elsewhere(self, uri: str, line: int, limit: int) -> list[Edit]:
        """Return the newest edits that are not near this line, newest first."""
        out = [e for e in reversed(self._edits.values()) if e.uri != uri or not e.start - 20 <= line <= e.end + 20]
        return out[:limit]


def changed(before: str, after: str) -> tuple[int, int]:
    """Return the span of ``after`` between the beginning and the end that it has in common with ``before``."""
    start, end = common_ends(before, after)
    return start, len(after) - end
