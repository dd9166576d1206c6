"""Which lines of an edit became which: one for one, or where their number differs those that are alike.

An edit that inserts or deletes lines is a block: the line that stays next to inserted lines and what stands there
afterwards, or a deleted line.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from lsp_server.edits.token_lines import common_ends

GONE: Final = "\x00"
"""Stands for the text of a line that was deleted."""

LEAST_LIKENESS: Final = 0.6
"""Below this likeness (difflib's ratio of characters) two lines of an uneven edit are not the same line."""

PAIR_LIMIT: Final = 900
"""Uneven edits with more pairs of lines teach nothing."""

BLOCK_LINES: Final = 4
"""Inserted or deleted lines that are repeated as one edit."""


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


def changed_blocks(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, str, str]]:
    """Return what an edit inserted or deleted: numbers within the old and the new lines, and texts before and after.

    The text before is one line: the one above inserted lines (below, if the edit has none above), a line that became
    several, or a deleted line, whose text after is :data:`GONE`.
    """
    head, tail = common_ends(old, new)
    gone, come = list(old[head : len(old) - tail]), list(new[head : len(new) - tail])
    if gone and not come and len(gone) <= BLOCK_LINES:
        return [(head + n, head, line, GONE) for n, line in enumerate(gone) if line.strip()]
    found: tuple[int, int, str, list[str]] | None = None
    if not gone and head:
        found = head - 1, head - 1, old[head - 1], [old[head - 1], *come]
    elif not gone and tail:
        found = 0, len(come), old[0], [*come, old[0]]
    elif len(gone) == 1 and len(come) > 1:
        found = head, head, gone[0], come
    if found is None or not 1 < len(found[3]) <= 1 + BLOCK_LINES or not found[2].strip():
        return []
    indent = found[2][: len(found[2]) - len(found[2].lstrip())]
    if any(line.strip() and not line.startswith(indent) for line in found[3]):
        return []
    return [(found[0], found[1], found[2], "\n".join(found[3]))]


def _ratio(a: str, b: str) -> float:
    if a == b:
        return 1.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() > LEAST_LIKENESS else 0.0
