"""What a document said when it was opened and says no longer: the lines that the user has taken out or is writing anew.

Whoever changes a line types much of it again, and lines that are changed one after another are changed alike. So the
lines that are gone are a source of copies beside the document itself, and the nearer to the cursor the likelier.

This module compares two states of one document line by line. It ranks nothing, and it knows no index.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lsp_server.retrieval.cursor import Side

CONTEXT: Final = 12
"""Lines before the first changed one that are kept too, for what stands before the cursor to agree with."""

REGION: Final = 2000
"""Lines between the first change and the last; where there are more, the states are too different to compare."""

ANCHOR: Final = 40
"""Lines above the cursor among which one that both states have is looked for."""


@dataclass(frozen=True, eq=False)
class Earlier:
    """The changed part of a document as it was.

    :param side: its lines as they were, with up to ``CONTEXT`` before. :param first: number of its first line then.
    :param gone: for each of its lines whether the changed part of the document says it no longer.
    :param row: the one of its lines that stood where the cursor's line is.
    """

    side: Side
    first: int
    gone: NDArray[np.bool_]
    row: int

    @cached_property
    def _stripped(self) -> list[str]:
        return [line.strip() for line in self.side.lines]

    def besides(self, typed: str) -> NDArray[np.bool_]:
        """``gone`` without the lines that the user only goes on with: those that ``typed`` begins with."""
        begun = typed.strip()
        same = [bool(line) and begun.startswith(line) for line in self._stripped]
        left: NDArray[np.bool_] = self.gone & ~np.array(same)
        return left


def earlier(opened: list[str], above: list[str], below: list[str]) -> Earlier | None:
    """The lines that were there and are gone, or None where there are none.

    :param opened: the lines when the document was opened. :param above, below: its lines now, around the cursor's line.
    """
    top = _alike(opened, above)
    bottom = _alike(opened[top:][::-1], below[::-1])
    stop = len(opened) - bottom
    if not 0 < stop - top <= REGION:
        return None
    now = {line.strip() for line in (*above[top:], *below[: len(below) - bottom])}
    first = max(0, top - CONTEXT)
    lines = opened[first:stop]
    gone = np.array([number >= top - first and line.strip() not in now for number, line in enumerate(lines)])
    gone &= np.array([bool(line.strip()) for line in lines])
    if not gone.any():
        return None
    return Earlier(Side("\n".join(lines) + "\n"), first, gone, _row(lines, above, top - first, len(above) - top))


def _alike(one: list[str], other: list[str]) -> int:
    """How many lines two lists begin with in common."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _row(lines: list[str], above: list[str], changed: int, new: int) -> int:
    """Where the cursor's line stood: counted from the nearest line above that both have, else from the first change.

    :param changed: the first changed one of ``lines``. :param new: lines of ``above`` that are below it.
    """
    places = {line.strip(): number for number, line in enumerate(lines) if number >= changed and line.strip()}
    for up, line in enumerate(above[len(above) - min(new, ANCHOR) :][::-1]):
        if line.strip() in places:
            return places[line.strip()] + up + 1
    return changed + new
