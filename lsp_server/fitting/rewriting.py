"""Finds out whether the user is replacing lines at a cursor, while old ones still stand below it.

Whoever replaces a block writes its new lines above the old ones that are left. A closing mark or a name of the new
lines then stands a second time below, for a while. The document as it was when the cursor came to this place tells that
from a mark that is one too many: some of the lines that it had here are gone.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

LINES: Final = 40
"""Lines above the cursor among which one that was there before is looked for, and lines that may be gone."""

_TELLING = re.compile(r"\w{3}")


def gone_lines(before: Sequence[str], above: Sequence[str], below: Sequence[str]) -> list[str]:
    """Return the lines that stood before what is below the cursor, and stand nowhere near it now.

    :param before: the document's lines as they were. :param above, below: its lines now, around the cursor's line.
    """
    below = list(below[: next((n + 2 for n, line in enumerate(below) if line.strip()), 0)])
    likely = [n for n, line in enumerate(before) if line == below[0]] if below else [len(before)]
    stops = [n for n in likely if before[n : n + len(below)] == below]
    for up, line in enumerate(above[: -LINES - 1 : -1]):
        if not _TELLING.search(line):
            continue
        starts = [n for n, other in enumerate(before) if other == line]
        found = [(stop - start, start) for start in starts for stop in stops if 0 < stop - start <= LINES + up]
        if found:
            length, start = min(found)
            first = max(0, start - LINES)
            now = Counter(one.strip() for one in above[-LINES - up - 1 :])
            now.subtract(one.strip() for one in before[first : start + 1])
            gone = [one.strip() for one in before[start + 1 : start + length]]
            return [one for one in gone if one and now[one] <= 0]
    return []


def is_of(line: str, typed: str) -> bool:
    """Return whether a line that is gone is the cursor's own, as it was before the user changed it."""
    typed = typed.strip()
    length = min(len(line), len(typed))
    return length > 0 and common(line, typed) * 2 >= length


def common(one: str, other: str) -> int:
    """Return the number of characters that two lines begin with in common."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
