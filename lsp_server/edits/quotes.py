"""The strings of a line, in whatever quotes, and whether other quotes leave them whole."""

from collections.abc import Iterator
from typing import Final

QUOTES: Final = frozenset("\"'`")


def strings(line: str) -> Iterator[tuple[int, int]]:
    """Yield where the strings of a line begin and end, as the places of their quotes; those within others are none."""
    at = 0
    while at < len(line):
        if line[at] in QUOTES:
            end = at + 1
            while end < len(line) and line[end] != line[at]:
                end += 2 if line[end] == "\\" else 1
            if end >= len(line):
                return
            yield at, end
            at = end
        at += 1


def breaks_strings(old: str, new: str) -> bool:
    """Whether a change of quotes alone makes other strings of a line: ``'a["b"]'`` becomes no ``"a["b"]"``."""
    if len(old) != len(new) or old == new:
        return False
    changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    return all(QUOTES.issuperset(pair) for pair in changed) and list(strings(old)) != list(strings(new))


def requoted(old: str, new: str) -> str:
    """Return a line with other quotes only where these leave a string whole, on both of its sides.

    :param new: the line with quotes exchanged wherever these stand.
    """
    made = list(old)
    for start, end in strings(old):
        come = new[start] if new[start] != old[start] else new[end]
        if come not in old[start:end] and "\\" not in old[start:end]:
            made[start] = made[end] = come
    return "".join(made)
