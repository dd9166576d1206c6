"""Identifiers that change the same way: by their beginning or end, by a part in any spelling, or by a number.

``getUser`` to ``fetchUser`` makes ``getTeam`` to ``fetchTeam``; ``user_name`` to ``login_name`` makes ``USER_NAME`` to
``LOGIN_NAME``; ``row[3]`` after ``row[2]`` makes ``[3]`` to ``[4]``.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from lsp_server.edits.token_lines import common_ends, is_name, is_word
from lsp_server.spellings import SHORT, changed_part, parts_of, respellings, spellings

LONGEST_AFFIX: Final = 3
"""Letters that one name may have before or behind another one that was made of it."""


def part_table(old: str, new: str) -> dict[str, str]:
    """Return which parts of other names change after one name changed: each spelling of what went to what came."""
    table = {old: new, **_added_part(old, new)}
    whole = zip(spellings(tuple(parts_of(old))), spellings(tuple(parts_of(new))), strict=True)
    for gone, come in whole:
        if _says(gone):
            table.setdefault(gone, come)
    for gone, come in respellings(old, new, SHORT):
        if _says(gone):
            table.setdefault(gone, come)
    return table


def _says(part: str) -> bool:
    """Whether a part of a name is long enough to be replaced in others: two letters are, where each is a syllable."""
    return len(part) > SHORT or (len(part) == SHORT and not part.isascii())


def _added_part(old: str, new: str) -> dict[str, str]:
    """Return the part of a name next to one that was added, and both together: ``fifo`` to ``i_fifo``."""
    a, b = parts_of(old), parts_of(new)
    head, tail = common_ends(a, b)
    if head + tail < len(a) or len(a) < SHORT or len(b) == len(a):
        return {}
    at = len(a) - tail if tail else head - 1
    come = "".join(b[head : len(b) - tail])
    return {} if not _says(a[at]) else {a[at]: come + a[at] if tail else a[at] + come}


def hole_table(holes: Mapping[str, str], tokens: Iterable[str]) -> dict[str, str]:
    """Return which parts of names and which numbers change along with names that differ between two like lines.

    ``x20_in`` next to ``x21_in`` makes ``20`` to ``21``; ``tag_valid`` and ``data_valid`` make ``Tag`` to ``Data``.

    :param tokens: what the table is for; a name that shares no part with any of them is left out.
    """
    table: dict[str, str] = {}
    text = "\n".join(tokens).lower()
    for old, new in holes.items():
        if text.isascii() and old.isascii() and not any(part in text for part in _lowered_parts(old)):
            continue
        for gone, come in _parts_changed(old, new):
            table.setdefault(gone, come)
    return table


@lru_cache(8_192)
def _lowered_parts(name: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in parts_of(name))


@lru_cache(8_192)
def _parts_changed(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """Return which parts of names and which numbers change along with one name."""
    changed = changed_part(old, new, least=1) if new and is_word(old) and is_word(new) else None
    if changed is None:
        return ()
    pairs = zip(spellings(changed[0]), spellings(changed[1]), strict=True)
    told = [(gone, come) for gone, come in pairs if come and (len(gone) > SHORT or gone.isdecimal() or gone == old)]
    return tuple(told)


def same_affix(old: str, new: str, name: str) -> str | None:
    """Return a name that changes at its beginning or end as ``old`` to ``new`` did; None where that says nothing.

    Nothing is said of a name of which nothing would be left.
    """
    head, tail = common_ends(old, new)
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    if head and tail and not gone and name.startswith(old[:head]):
        return name[:head] + come + name[head:]
    if (head and tail) or not (head or tail):
        return None
    if head and name.endswith(gone):  # the end changed
        return name[: len(name) - len(gone)] + come or None
    if tail and name.startswith(gone):
        return come + name[len(gone) :] or None
    return None


def respelled(old: str, new: str, name: str) -> str | None:
    """Return a name that is written in another way, as ``old`` became ``new``: ``user_name`` to ``userName``."""
    words = parts_of(old)
    if len(words) < 2:
        return None
    for written, again in zip(spellings(tuple(words))[:-1], spellings(tuple(parts_of(name))), strict=False):
        before, found, after = new.partition(written)
        if found and old != written and len(before + after) <= LONGEST_AFFIX:
            return before + again + after
    return None


def derived(token: str, holes: Mapping[str, str]) -> str | None:
    """Return a name that was made of a part of another one, made of its counterpart: ``user`` of ``users``.

    :param holes: names, and what stands for each of them at the other line.
    """
    for old, other in holes.items():
        cut = len(old) - len(token)
        if not 0 < cut <= LONGEST_AFFIX or len(token) <= SHORT or len(other) <= cut:
            continue
        if old.startswith(token) and other.endswith(old[-cut:]):
            return other[:-cut]
        if old.endswith(token) and other.startswith(old[:cut]):
            return other[cut:]
    if token[:1].isupper() and not any(old[:1].isupper() for old in holes):
        small = derived(token[0].lower() + token[1:], holes)
        return small and small[0].upper() + small[1:]
    return None


def next_number(old: str, new: str, number: str) -> str | None:
    """Return a number that grows as ``old`` grew to ``new``; None where one of them is no decimal number."""
    if not (old.isdecimal() and new.isdecimal() and number.isdecimal()):
        return None
    grown = int(number) + int(new) - int(old)
    return str(grown).zfill(len(number) if number.startswith("0") else 1) if grown >= 0 else None


def changes_alike(old: str, new: str, name: str) -> str | None:
    """Return what a name or a number becomes after another one changed; None where nothing can be said."""
    if is_name(old) and is_name(new) and is_name(name):
        written = respelled(old, new, name)
        return same_affix(old, new, name) if written is None else written
    grown = next_number(old, new, name)
    return grown if grown is not None or old.isdecimal() else same_affix(old, new, name)
