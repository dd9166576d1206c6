"""An edit carried over to a like line, token by token: what differs between the lines is put in for its counterpart.

The tokens of the edited line (before the edit) are aligned with those of the other line. Where tokens differ one for
one, names and numbers are holes: wherever the edit repeats the name, the other line's name takes its place.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from lsp_server.edits.alignment import operations_within
from lsp_server.edits.names import changes_alike, derived, hole_table
from lsp_server.edits.rules import Region, spacing, spliced, there_already
from lsp_server.edits.token_lines import TokenLine, is_word, shifted
from lsp_server.spellings import with_parts

MAX_HOLES: Final = 6
LEAST_LIKENESS: Final = 0.5
"""Share of tokens that both lines must have in common, by kind."""


SHAPES: Final = 1_024
"""Pairs of lines by kind whose alignment is kept, 1 to 2 KB each."""

Changes = tuple[list[tuple[int, int, int, int]], bool]
"""What :func:`rules.differences` returns."""

_Places = tuple[int | None, ...]


def carried_over(
    old: TokenLine, new: TokenLine, changes: Changes, line: TokenLine, *, literally: bool = False
) -> tuple[str, int] | None:
    """Return the line after the edit that made ``new`` of ``old``, and the number of holes; None where it fits not.

    :param changes: the differences of ``old`` and ``new``.
    :param literally: let what comes stay as it is; None where it names something that the line does not hold.
    """
    size = len(old.texts) + len(line.texts)
    if not size or size > 400 or 2 * min(len(old.texts), len(line.texts)) / size < LEAST_LIKENESS:
        return None
    regions, columns = changes
    aligned = _alignment(old, line) if regions else None
    if aligned is None:
        return None
    starts, ends, holes = aligned
    if len(holes) > MAX_HOLES:
        return None
    if "\n" in new.texts:  # in a check that comes, `-` is no part of the line above
        holes = {one: other for one, other in holes.items() if is_word(one)}
    if literally:
        comes = {token for _, _, m, n in regions for token in new.texts[m:n]}
        named = comes.intersection(holes)
        if not named or not named <= line.words:
            return None
        holes = {}
    places = []
    for i, j, _, _ in regions:
        a, b = ends[i] if i == j else starts[i], ends[j]
        if a is None or b is None or b < a or (i == j and starts[i] != ends[i]):
            return None
        places.append((a, b))
    come_anywhere = (token for _, _, m, n in regions for token in new.texts[m:n] if token not in holes)
    table = hole_table(holes, come_anywhere) if holes else {}
    cuts = []
    for (i, j, m, n), (a, b) in zip(regions, places, strict=True):
        come = _filled(old, new, (i, j, m, n), line.texts[a:b], holes, table)
        if come is None:
            return None
        space, respaced = spacing(old, new, (i, j, m, n))
        cuts.append((a + 1, Region((), line.texts[a:b], come, (), space, respaced)))
        if there_already(cuts[-1][1], line.padded, a + 1):
            return None
    indent = shifted(line.indent, old.indent, new.indent)
    if indent is None:
        return None
    return spliced(line, cuts, indent, columns), len(holes)


def _alignment(old: TokenLine, line: TokenLine) -> tuple[_Places, _Places, dict[str, str]] | None:
    """Return for each place of ``old`` the one of ``line``, as a start and as an end, and the holes.

    None where the lines are not alike. A place inside a run of tokens that have no counterpart is None.
    """
    aligned = _aligned(old.kinds, line.kinds)
    if aligned is None:
        return None
    starts, ends, counterparts = aligned
    a, b = old.texts, line.texts
    holes: dict[str, str] = {}
    for i, m in counterparts:
        if m < 0:
            holes.setdefault(a[i], "")
        elif a[i] != b[m] and holes.setdefault(a[i], b[m]) != b[m]:
            holes[a[i]] = ""
    return starts, ends, holes


@lru_cache(SHAPES)
def _aligned(
    old: tuple[str, ...], line: tuple[str, ...]
) -> tuple[_Places, _Places, tuple[tuple[int, int], ...]] | None:
    """Return for the tokens of two lines by kind what :func:`_alignment` returns, and the counterparts of tokens.

    Code repeats the shapes of its lines much more often than the lines. A token for which several stand has -1.

    :param old: with ``BEGIN`` and ``END``, as ``line``.
    """
    a, b = old[1:-1], line[1:-1]
    least = LEAST_LIKENESS * max(len(a), len(b))
    if a == b:
        codes = [("equal", 0, len(a), 0, len(b))]
    elif _shared(old, line) < least:
        return None
    else:
        codes = operations_within(a, b)
        if sum(j - i for name, i, j, _, _ in codes if name == "equal") < least:
            return None
    starts: list[int | None] = [None] * (len(a) + 1)
    ends: list[int | None] = [None] * (len(a) + 1)
    counterparts: list[tuple[int, int]] = []
    starts[len(a)] = ends[len(a)] = len(b)
    ends[0] = starts[0] = 0
    for name, i, j, m, n in codes:
        starts[i], ends[j] = m, n
        if name == "equal" or j - i == n - m:
            for at in range(j - i):
                starts[i + at], ends[i + at + 1] = m + at, m + at + 1
                counterparts.append((i + at, m + at))
        elif j - i == 1 and n > m:
            counterparts.append((i, -1))
    for at in range(len(a) + 1):
        if starts[at] is None and ends[at] is not None:
            starts[at] = ends[at]
        if ends[at] is None and starts[at] is not None:
            ends[at] = starts[at]
    return tuple(starts), tuple(ends), tuple(counterparts)


def _shared(old: tuple[str, ...], line: tuple[str, ...]) -> int:
    """Return how many tokens by kind two lines have in common, without their ends."""
    there = _counts(line)
    return sum(min(times, there.get(kind, 0)) for kind, times in _counts(old).items())


@lru_cache(SHAPES)
def _counts(kinds: tuple[str, ...]) -> Mapping[str, int]:
    return Counter(kinds[1:-1])


def _filled(
    old: TokenLine,
    new: TokenLine,
    region: tuple[int, int, int, int],
    there: Sequence[str],
    holes: dict[str, str],
    table: dict[str, str],
) -> tuple[tuple[str, str], ...] | None:
    """Return the tokens that come at the other line; None where a hole has no one counterpart.

    :param table: the parts of names that differ along with the holes.
    """
    i, j, m, n = region
    gone, come = old.texts[i:j], new.texts[m:n]
    if len(gone) == len(come) == len(there) == 1 and gone[0] != there[0]:
        changed = changes_alike(gone[0], come[0], there[0])
        return None if changed is None or changed == there[0] else ((new.spaces[m], changed),)
    differ = any(a != b for a, b in zip(gone, there, strict=False)) and not set(gone) & set(come) & set(holes)
    if differ and len(gone) != len(there):
        return None
    found = []
    for space, token in zip(new.spaces[m:n], come, strict=True):
        other = holes.get(token)
        if other == "":
            return None
        if other is None and table:
            other = with_parts(token, table) if is_word(token) else table.get(token)
        if other in (None, token) and holes:
            other = derived(token, holes)
        found.append((space, other if other is not None else token))
    return tuple(found)
