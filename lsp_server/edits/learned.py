"""What the session's edits make of a line that stands elsewhere, for text that is proposed while the user types.

A copied line shows the code as it was. Where two edits of the session make the same of it, its new form is proposed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.place_search import MAX_LINE
from lsp_server.edits.proposals import Taught
from lsp_server.edits.rules import MANY, ONE
from lsp_server.edits.token_lines import TokenLine, parse

LEAST: Final = 2
"""Edited lines that have to agree."""

KEPT: Final = 500
"""Lines whose new form is kept."""

_KINDS: Final = frozenset((*ONE, *MANY))


class Learned:
    """The new form of lines, by the edits of a session up to now; see the module.

    :param read: returns what the edits teach, the newest last. It is called with the first line, on its thread.
    """

    def __init__(self, read: Callable[[], Sequence[Taught]]) -> None:
        self._read = read
        self._history: list[Taught] | None = None
        self._known: dict[str, str | None] = {}

    def new_form(self, line: str) -> str | None:
        """Return what at least ``LEAST`` edited lines make of a line, or None."""
        if self._history is None:
            self._history = list(self._read())
        if len(self._history) < LEAST or len(line) > MAX_LINE:
            return None
        if line not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[line] = self._made(line, self._history)
        return self._known[line]

    def _made(self, line: str, history: Sequence[Taught]) -> str | None:
        target = parse(line)
        votes: dict[str, int] = {}
        for source in reversed(history):
            # Each edited line has one vote.
            text = next((one for one in _forms(source, target) if one != line), None)
            if text is not None:
                votes[text] = votes.get(text, 0) + 1
        best = max(votes, key=votes.__getitem__, default=None)
        return best if best is not None and votes[best] >= LEAST else None


def _forms(source: Taught, target: TokenLine) -> Iterator[str]:
    """Yield what an edited line makes of a line, the most specific first; nothing where the line may be new already."""
    if "\n" in source.lesson.new_text or source.lesson.new_text == GONE:
        return
    new = set(source.lesson.new.texts) - set(source.lesson.old.texts)
    if new <= set(target.texts) and (new or sorted(source.lesson.new.texts) == sorted(source.lesson.old.texts)):
        return
    if source.lesson.call is not None and (called := source.lesson.call.apply(target)) is not None:
        yield called[0]
    for rule in sorted(source.lesson.rules, key=lambda rule: -len(rule.literals)):
        if rule.kind in _KINDS and (made := rule.apply(target)) is not None:
            yield made[0]
