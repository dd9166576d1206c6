"""Notes the offer that stands at the cursor, and counts it where the user saw it and left it alone.

He did so if the editor reported that it shows the offer, and asks for another line of the same text. A change in
between says nothing: it may be the offer itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lsp_server.edits.offered import Offer, Refusals


@dataclass(frozen=True)
class Standing:
    """An offer for the cursor's line.

    :param ids: under which the editor may report that it is shown; each answer has a new one. :param key: the
        document's. :param version: of the document. :param line: the cursor's, from 0.
    """

    ids: tuple[str, ...]
    refusals: Refusals
    key: str
    version: int
    line: int
    offer: Offer

    @property
    def _place(self) -> tuple[str, int, int, Offer]:
        return self.key, self.version, self.line, self.offer

    def again(self, other: "Standing") -> "Standing":
        """Return another offer, with these ids as well if it is this one."""
        return replace(other, ids=(*self.ids, *other.ids)) if self._place == other._place else other


class AtCursor:
    """The offer that was sent last for a cursor's line. Lives on the loop.

    :param was_shown: whether the editor reported that it shows the edit of an id.
    """

    def __init__(self, was_shown: Callable[[str], bool]) -> None:
        self._was_shown = was_shown
        self._standing: Standing | None = None

    def offered(self, standing: Standing) -> None:
        """Note an offer that is sent."""
        self._standing = self._standing.again(standing) if self._standing is not None else standing

    def moved(self, key: str, version: int, line: int) -> bool:
        """Take a request for a line; returns whether an offer at another one was left alone, which is counted."""
        there = self._standing
        if there is None or (there.key, there.version, there.line) == (key, version, line):
            return False
        self._standing = None
        left = (there.key, there.version) == (key, version) and any(map(self._was_shown, there.ids))
        if left:
            there.refusals.leave(there.offer)
        return left
