"""The words of identifiers, and the usual ways to spell them: ``user_name``, ``userName``, ``UserName`` and so on."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

_PARTS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|_+|[^\W\d_A-Za-z]+")
SHORT: Final = 2
"""Parts of fewer letters are not replaced within other names."""


def parts_of(name: str) -> list[str]:
    """Return the words of an identifier, its underscores among them."""
    return _PARTS.findall(name)


@lru_cache(8_192)
def changed_part(old: str, new: str, least: int = SHORT) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the words that went and came between the common beginning and end of two names; None without any."""
    a, b = parts_of(old), parts_of(new)
    head = _common_start(a, b)
    tail = _common_start(a[head:][::-1], b[head:][::-1])
    gone, come = tuple(a[head : len(a) - tail]), tuple(b[head : len(b) - tail])
    if not gone or not come or sum(map(len, gone)) < least:
        return None
    return gone, come


def _common_start(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


@lru_cache(8_192)
def spellings(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words joined in each usual way: camelCase, PascalCase, snake_case, UPPER_CASE, as they are."""
    plain = [word.lower() for word in words if word.strip("_")]
    if not plain:
        return ("", "", "", "", "".join(words))
    capital = [word[:1].upper() + word[1:] for word in plain]
    return (
        plain[0] + "".join(capital[1:]),
        "".join(capital),
        "_".join(plain),
        "_".join(plain).upper(),
        "".join(words),
    )


@lru_cache(8_192)
def respellings(old: str, new: str, least: int) -> tuple[tuple[str, str], ...]:
    """Return what went from a name in each usual way, with what came in the same way.

    :param least: letters of the shortest part that counts.
    """
    changed = changed_part(old, new, least=1)
    if changed is None:
        return ()
    pairs = zip(spellings(changed[0]), spellings(changed[1]), strict=True)
    return tuple((gone, come) for gone, come in pairs if come and len(gone) >= least)


def with_parts(name: str, table: Mapping[str, str]) -> str:
    """Return a name after its parts changed as the table says; whole words of the name only."""
    if name in table:
        return table[name]
    for gone in sorted(table, key=len, reverse=True):
        at = -1 if gone in table[gone] and table[gone] in name else name.find(gone)
        if at >= 0 and at_word_ends(name, at, at + len(gone)):
            return name[:at] + table[gone] + name[at + len(gone) :]
    return name


def at_word_ends(name: str, start: int, end: int) -> bool:
    """Return whether a part of a text begins and ends where words of an identifier do."""
    left = start == 0 or not name[start - 1].isalpha() or (name[start].isupper() and name[start - 1].islower())
    right = end == len(name) or not name[end].islower() or not name[end - 1].isalpha()
    if name[start:end].isdecimal():
        left = start == 0 or not name[start - 1].isdecimal()
        right = end == len(name) or not name[end].isdecimal()
    return left and right
