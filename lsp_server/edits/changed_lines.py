"""Which lines of an edit became which: one for one, or where their number differs those that are alike.

An edit that inserts or deletes lines is a block: the line that stays next to inserted lines and what stands there
afterwards, or a deleted line.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise, takewhile
from typing import Final

from indexer.text.lines import indent_of
from lsp_server.edits.token_lines import common_ends

GONE: Final = "\x00"
"""Stands for the text of a line that was deleted."""

LEAST_LIKENESS: Final = 0.6
"""Below this likeness (difflib's ratio of characters) two lines of an uneven edit are not the same line."""

_WORD: Final = re.compile(r"\w")
_OPENS: Final = ("(", "[", "{")

PAIR_LIMIT: Final = 900
"""Uneven edits with more pairs of lines teach nothing."""

BLOCK_LINES: Final = 4
"""Inserted or deleted lines that are repeated as one edit."""


ANCHOR: Final = 2
"""Lines above a line without a word among which one with a word is looked for."""


NEAR: Final = 3
"""So near to the same lines no line is inserted, counted in lines with text. Of 279 such texts offered at the
cursor (eleven repositories) 43 stood that near, none of them right; within five lines 70, 1 of them right."""

REACH: Final = 40
"""Lines above and below a place among which the same lines are looked for."""


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


def changed_blocks(
    old: Sequence[str], new: Sequence[str], above: str = "", below: str = ""
) -> list[tuple[int, int, str, str]]:
    """Return what an edit inserted or deleted: numbers within the old and the new lines, and texts before and after.

    The text before is one line: a line that became several, or a deleted line, whose text after is :data:`GONE`. Of
    inserted lines it is the line above them, and once more the line below: which of the two they belong to is seen at
    the next place only. A line without a word says nothing, but for a bracket that opens above (:func:`anchored`).

    :param above: the line above the edit. :param below: the line below it.
    """
    head, tail = common_ends(old, new)
    gone, come = list(old[head : len(old) - tail]), list(new[head : len(new) - tail])
    if gone and not come and len(gone) <= BLOCK_LINES:
        return [(head + n, head, line, GONE) for n, line in enumerate(gone) if line.strip()]
    found: list[tuple[int, int, str, list[str]]] = []
    if not gone:
        over, under = old[head - 1] if head else above, old[head] if tail else below
        found.append((head - 1, head - 1, over, [over, *come]))
        if any(map(has_word, come)) or not any(map(str.strip, come)):  # a bracket alone belongs to what it closes
            found.append((head, head + len(come), under, [*come, under]))
    elif len(gone) == 1:
        found.append((head, head, gone[0], come))
    return [(there, here, line, "\n".join(lines)) for there, here, line, lines in found if _block(line, lines)]


def blank_around(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return for each line with text that an edit deleted how many blank lines above and below it went too.

    Those between two of them stand below the first.
    """
    head, tail = common_ends(old, new)
    found: list[tuple[int, int]] = []
    above = 0
    for line in old[head : len(old) - tail] if head + tail == len(new) else ():
        if line.strip():
            found.append((above, 0))
            above = 0
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            above += 1
    return found


def is_block(text: str) -> bool:
    """Whether what becomes of a line inserts others or deletes it."""
    return "\n" in text or text == GONE


def has_word(line: str) -> bool:
    """Whether a line has a letter or a digit."""
    return _WORD.search(line) is not None


def anchored(line: str, above: Sequence[str]) -> str | None:
    """Return a line, if it has no word with those above it up to one that has: ``{`` alone says nothing of its block.

    None where there is no such line nearby.

    :param above: the lines above it.
    """
    lines = [line]
    for other in reversed(above[-ANCHOR:]):
        if has_word(lines[0]):
            break
        lines.insert(0, other)
    return "\n".join(lines) if has_word(lines[0]) else None


def _block(line: str, lines: Sequence[str]) -> bool:
    """Whether what became of a line can be repeated: few lines, none of them indented less than it."""
    indent = line[: len(line) - len(line.lstrip())]
    says = has_word(line) or (line.rstrip()[-1:] in _OPENS and lines[0] == line)
    few = 1 < len(lines) <= 1 + BLOCK_LINES and says
    begins = lines[0].startswith(indent) and not lines[0][len(indent) :][:1].isspace()
    return few and begins and all(not one.strip() or one.startswith(indent) for one in lines)


def inserted_already(text: str, lines: Sequence[str], at: int) -> bool:
    """Whether the lines that a text inserts above a line, or below it, stand there already."""
    made = [line.strip() for line in text.split("\n")]
    line, come = lines[at].strip(), len(made) - 1
    above = [line.strip() for line in lines[max(0, at - come) : at]]
    below = [line.strip() for line in lines[at + 1 : at + 1 + come]]
    return (made[-1] == line and made[:-1] == above) or (made[0] == line and made[1:] == below)


def stands_near(text: str, lines: Sequence[str], at: int) -> bool:
    """Whether the lines that a text inserts next to a line stand near it already, or once in its block.

    Where they stand that near to each other elsewhere, as a check behind each statement does, they may do so again.
    Of 55 texts that insert lines which stand once in the block already, none was right (nine repositories).
    """
    made = text.split("\n")
    under = made[0] == lines[at]
    come = _stripped(made[1:] if under else made[:-1])
    if not any(map(has_word, come)):
        return False
    above, below = lines[max(0, at - REACH) : at], lines[at + 1 : at + 1 + REACH]
    reach = NEAR + len(come) - 1
    if _runs(come, _stripped(above)[-reach:]) or _runs(come, _stripped(below)[:reach]):
        starts = _runs(come, _stripped([*above, lines[at], *below]))
        return all(behind - before > NEAR + len(come) for before, behind in pairwise(starts))
    if come == _stripped(lines[at : at + 1]):
        return False  # once more the line itself
    over, rest = ([*above, lines[at]], below) if under else (above, [lines[at], *below])
    indent = min(indent_of(line) for line in (made[1:] if under else made[:-1]) if line.strip())
    first, second = ([indent_of(line) for line in rest if line.strip()] + [0, 0])[:2]
    if not indent or second > first:
        return False  # above the head of a block, as attributes stand, each may have them
    return len(_runs(come, _block_around(over, rest, indent))) == 1


def _block_around(above: Sequence[str], below: Sequence[str], indent: int) -> list[str]:
    """Return the lines around a place up to the next ones that are indented less, without blanks around them."""
    up = takewhile(lambda line: not line.strip() or indent_of(line) >= indent, reversed(above))
    down = takewhile(lambda line: not line.strip() or indent_of(line) >= indent, below)
    return _stripped([*reversed(list(up)), *down])


def _stripped(lines: Sequence[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]


def _runs(run: Sequence[str], lines: Sequence[str]) -> list[int]:
    """Return where a run of lines begins among others."""
    size = len(run)
    return [at for at, line in enumerate(lines) if line == run[0] and lines[at : at + size] == run]


def _ratio(a: str, b: str) -> float:
    if a == b:
        return 1.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() > LEAST_LIKENESS else 0.0
