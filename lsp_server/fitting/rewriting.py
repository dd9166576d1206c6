"""Finds out whether the user is replacing lines at a cursor, while old ones still stand below it.

Whoever replaces a block writes its new lines above the old ones that are left. A closing mark or a name of the new
lines then stands a second time below, for a while. The document as it was when the cursor came to this place tells that
from a mark that is one too many: some of the lines that it had here are gone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from lsp_server.common_text import common_start

LINES: Final = 40
"""Lines above the cursor among which one that was there before is looked for, and lines that may be gone."""

_TELLING = re.compile(r"\w{3}")


def gone_lines(
    before: Sequence[str], above: Sequence[str], below: Sequence[str], from_start: bool = False
) -> tuple[list[str], list[str]]:
    """Return the lines that stood before what is below the cursor and stand nowhere near it now, and the new ones.

    :param before: the document's lines as they were. :param above, below: its lines now, around the cursor's line.
    :param from_start: whether ``above`` begins with the document.
    """
    below = list(below[: next((n + 2 for n, line in enumerate(below) if line.strip()), 0)])
    likely = [n for n, line in enumerate(before) if line == below[0]] if below else [len(before)]
    stops = [n for n in likely if before[n : n + len(below)] == below]
    for up, starts in _anchors(before, above, from_start) if stops else ():
        found = [(stop - start, start) for start in starts for stop in stops if 0 < stop - start <= LINES + up]
        if found:
            length, start = min(found)
            now = Counter(one.strip() for one in above[-LINES - up - 1 :])
            now.subtract(one.strip() for one in before[max(0, start - LINES) : start + 1])
            old = [one.strip() for one in before[start + 1 : start + length]]
            left, new = Counter(old), []
            for one in (line.strip() for line in above[len(above) - up :]):
                left[one] -= 1
                new += [one] if left[one] < 0 else []
            return [one for one in old if one and now[one] <= 0], new
    return [], []


def _anchors(before: Sequence[str], above: Sequence[str], from_start: bool) -> Iterator[tuple[int, list[int]]]:
    """Yield how far above the cursor a line stands that was there before, and where it stood."""
    for up, line in enumerate(above[: -LINES - 1 : -1]):
        if _TELLING.search(line):
            yield up, [n for n, other in enumerate(before) if other == line]
    if from_start and len(above) <= LINES:
        yield len(above), [-1]


def is_of(line: str, typed: str) -> bool:
    """Return whether a line that is gone is the cursor's own, as it was before the user changed it."""
    typed = typed.strip()
    length = min(len(line), len(typed))
    return length > 0 and common_start(line, typed) * 2 >= length


def repeats_below(line: str, typed: str, below: Sequence[str]) -> bool:
    """Return whether the user joins a statement of several lines: what is typed behind its old first line stands below.

    :param line: the line that is gone. :param typed: the cursor's line. :param below: the lines below it.
    """
    typed, next_line = typed.strip(), next((one.strip() for one in below if one.strip()), "")
    added = typed[len(line) :].lstrip()
    joined = bool(added) and bool(next_line) and (next_line.startswith(added) or added.startswith(next_line))
    return line[-1:] in ("(", "[", "{") and typed.startswith(line) and joined
