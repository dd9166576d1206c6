"""Which lines of an edit became which: one for one, or where their number differs those that are alike."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

LEAST_LIKENESS: Final = 0.6
"""Below this likeness (difflib's ratio of characters) two lines of an uneven edit are not the same line."""

PAIR_LIMIT: Final = 900
"""Uneven edits with more pairs of lines teach nothing."""


def changed_lines(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, str, str]]:
    """Return the changed lines of an edit: their numbers within the old and the new lines, and their texts."""
    if len(old) == len(new):
        return [(n, n, a, b) for n, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    if len(old) * len(new) > PAIR_LIMIT:
        return []
    found, first = [], 0
    for number, line in enumerate(old):
        best: tuple[float, int] | None = None
        for other in range(first, len(new)):
            ratio = _ratio(line, new[other])
            if ratio > LEAST_LIKENESS and (best is None or ratio > best[0]):
                best = (ratio, other)
        if best is not None:
            first = best[1] + 1
            if line != new[best[1]]:
                found.append((number, best[1], line, new[best[1]]))
    return found


def _ratio(a: str, b: str) -> float:
    if a == b:
        return 1.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() > LEAST_LIKENESS else 0.0
