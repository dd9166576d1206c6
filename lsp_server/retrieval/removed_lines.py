"""Finds the lines that a document had when it was opened and has no longer.

Whoever changes a line types much of it again, and lines that are changed one after another are changed alike. So
removed lines are a source of copies, and those near the cursor are the likeliest.

This module compares two states of one document line by line. It ranks nothing and knows no index.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lsp_server.retrieval.cursor import LexedText

CONTEXT: Final = 12
"""Lines before the first changed one that are kept too, so that the code before the cursor has something to match."""

REGION: Final = 2000
"""Lines at most between the first change and the last; beyond that, the states are too different to compare."""

ANCHOR: Final = 40
"""Lines above the cursor among which one that both states have is looked for."""


@dataclass(frozen=True, eq=False)
class RemovedLines:
    """The changed part of a document as it was.

    :param text: its lines as they were, with up to ``CONTEXT`` before. :param first: number of its first line then.
    :param gone: for each of its lines whether the changed part has it no longer.
    :param row: the line of ``text`` that stood where the cursor's line is.
    """

    text: LexedText
    first: int
    gone: NDArray[np.bool_]
    row: int

    @cached_property
    def _stripped(self) -> list[str]:
        return [line.strip() for line in self.text.lines]

    def not_retyped(self, typed: str) -> NDArray[np.bool_]:
        """Return ``gone`` without the lines that ``typed`` begins with: the user is only continuing those."""
        begun = typed.strip()
        same = [bool(line) and begun.startswith(line) for line in self._stripped]
        kept: NDArray[np.bool_] = self.gone & ~np.array(same)
        return kept


def removed_lines(opened: list[str], above: list[str], below: list[str]) -> RemovedLines | None:
    """Return the lines that were removed or changed since the document was opened; None where there are none.

    :param opened: the lines when the document was opened. :param above, below: its lines now, around the cursor's line.
    """
    top = _common_lines(opened, above)
    bottom = _common_lines(opened[top:][::-1], below[::-1])
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
    row = _row(lines, above, top - first, len(above) - top)
    return RemovedLines(LexedText("\n".join(lines) + "\n"), first, gone, row)


def _common_lines(one: list[str], other: list[str]) -> int:
    """Return how many lines two lists begin with in common."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _row(lines: list[str], above: list[str], changed: int, new: int) -> int:
    """Return where the cursor's line stood, counted from the nearest line above that both states have.

    Without such a line it is counted from the first change.

    :param changed: the first changed one of ``lines``. :param new: lines of ``above`` that are below it.
    """
    numbers = {line.strip(): number for number, line in enumerate(lines) if number >= changed and line.strip()}
    for up, line in enumerate(above[len(above) - min(new, ANCHOR) :][::-1]):
        if line.strip() in numbers:
            return numbers[line.strip()] + up + 1
    return changed + new
