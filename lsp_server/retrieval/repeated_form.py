"""Derives the rest of a row that has the form of the rows above, once its names are typed.

``Purple = "purple",`` below ``Red = "red",`` and ``DarkBlue = "dark-blue",``; ``.valid_i (valid_i),`` below the ports
before it. In such rows all words that change behind the cursor are names from before it, perhaps in another spelling.
The rows above prove it: each has to follow in this way from the row above it. The row is made only behind a mark or a
blank, because the names before it are whole there.

The gate does not know a name that the document does not have yet, so such rows have a probability of their own.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise, product
from typing import Final

from indexer.text.lines import leading_blanks
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.cursor import CursorContext
from lsp_server.retrieval.listed_items import WORD, exchangeable
from lsp_server.retrieval.matches import ExpectedRow
from lsp_server.spellings import at_word_ends, changed_part, parts_of, spellings

ROWS: Final = 6
"""Rows above that are compared, at most."""

CARRIED_ON: Final = {1: 0.60, 2: 0.84, 3: 0.90}
"""How often a row is right in which a name is carried on, by how many rows above follow from the one above each. More
rows count as the most here. One alone is right in .71, but hardly where the gate expects something else."""

SAME: Final = {2: 0.75, 3: 0.88}
"""The same where the rest is that of the row above."""

OLD: Final = {2: 0.55, 4: 0.80}
"""The same, in both cases, behind rows that stood there when the document was opened."""

WAYS: Final = 16
"""Ways to carry names on that are compared, at most; where there are more, there is no row."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line above the cursor.

    :param tokens: as many as are typed at the cursor. :param rest: what follows them.
    """

    tokens: Sequence[str]
    rest: str


def repeated_row(cursor: CursorContext, is_new: Callable[[int], bool]) -> ExpectedRow | None:
    """Return the row that the names before the cursor ask for; None where the rows above do not agree about it.

    :param is_new: whether a line above has been written since the document was opened.
    """
    prefix = cursor.prefix
    if not prefix.strip() or prefix[-1].isalnum() or prefix[-1] == "_":
        return None
    typed = TOKEN.findall(prefix)
    rows = list(_rows_above(cursor, len(typed)))
    follows = _how_many_follow(rows)
    if not follows:
        return None
    agreed: dict[tuple[str, ...], str] | None = None
    for row in rows[: follows + 1]:
        names = _names(row.tokens, typed)
        if not names:
            return None
        texts = {_bare(text): text for text in _carried_on(row.rest, names)}
        agreed = texts if agreed is None else {key: text for key, text in agreed.items() if key in texts}
    if agreed is None or len(agreed) != 1:
        return None
    [rest] = agreed.values()
    above = len(cursor.line_context.before.lines) - 1
    new, same = is_new(above), _bare(rest) == _bare(rows[0].rest)
    known = (SAME if same else CARRIED_ON) if new else OLD
    likely = [probability for count, probability in known.items() if count <= follows]
    return ExpectedRow(prefix.strip() + rest, above, likely[-1]) if likely else None


def _rows_above(cursor: CursorContext, typed: int) -> Iterator[_Row]:
    """Yield the lines right above the cursor that have its indentation and more tokens, nearest first."""
    context, indent = cursor.line_context, leading_blanks(cursor.prefix)
    for at, (number, blanks, tokens) in enumerate(context.rows_above[:ROWS]):
        if number != len(context.before.lines) - 1 - at or blanks != indent or len(tokens) <= typed:
            return
        line = context.before.lines[number]
        yield _Row(tokens[:typed], line[_end_of(line, typed) :].rstrip())


def _end_of(line: str, tokens: int) -> int:
    """Return where the first tokens of a line end."""
    return next(islice(TOKEN.finditer(line), tokens - 1, None)).end()


def _how_many_follow(rows: Sequence[_Row]) -> int:
    """Return how many rows, the nearest first, follow from the row above each."""
    for number, (row, above) in enumerate(pairwise(rows)):
        names = _names(above.tokens, row.tokens)
        if not names or _bare(row.rest) not in map(_bare, _carried_on(above.rest, names)):
            return number
    return max(0, len(rows) - 1)


def _names(tokens: Sequence[str], typed: Sequence[str]) -> dict[str, str] | None:
    """Return the typed names for those of a row above; None where the forms differ, or no name does."""
    names: dict[str, str] = {}
    for one, other in zip(tokens, typed, strict=True):
        if one != other and (not exchangeable(one, other) or names.setdefault(one, other) != other):
            return None
    return names if any(map(WORD.fullmatch, names)) else None


def _bare(text: str) -> tuple[str, ...]:
    return tuple(TOKEN.findall(text))


def _carried_on(rest: str, names: Mapping[str, str]) -> set[str]:
    """Return a text with other names, in each way that the spellings in it allow; none where these are too many."""
    forms: dict[str, dict[str, None]] = {}
    for old, new in names.items():
        for form, others in _exchanges(old, new).items():
            forms.setdefault(form, {}).update(dict.fromkeys(others))
    return set(_exchanged(rest, forms))


def _exchanged(text: str, forms: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Yield a text with each form of a name exchanged, in each way."""
    places = _places(text, forms)
    choices: list[Collection[str]] = []
    end = 0
    for start, stop in places:
        choices += [(text[end:start],), forms[text[start:stop]]]
        end = stop
    if math.prod(map(len, choices)) <= WAYS:
        yield from map("".join, product(*choices, (text[end:],)))


def _places(text: str, forms: Collection[str]) -> list[tuple[int, int]]:
    """Return where forms stand as words of an identifier, the longest ones first where they overlap.

    One of a single letter has to be the whole identifier.
    """
    found: list[tuple[int, int]] = []
    for form in sorted(filter(text.__contains__, forms), key=len, reverse=True):
        start = text.find(form)
        while start >= 0:
            stop = start + len(form)
            whole = at_word_ends(text, start, stop) and (len(form) > 1 or _alone(text, start))
            if whole and all(stop <= one or other <= start for one, other in found):
                found.append((start, stop))
            start = text.find(form, start + 1)
    return sorted(found)


def _alone(text: str, at: int) -> bool:
    """Return whether a letter is a whole identifier."""
    return not any(one.isalnum() or one == "_" for one in (text[at - 1 : at], text[at + 1 : at + 2]))


@lru_cache(2_000)
def _exchanges(old: str, new: str) -> dict[str, tuple[str, ...]]:
    """Return what may come for each form of a name, and of the part in which it differs from the new one."""
    forms: dict[str, dict[str, None]] = {}
    pairs = [*zip(_forms(old), _forms(new), strict=True)]
    changed = changed_part(old, new)
    if changed is not None:
        pairs += zip(_forms("_".join(changed[0])), _forms("_".join(changed[1])), strict=True)
    for one, other in pairs:
        if one:
            forms.setdefault(one, {})[other] = None
    return {one: tuple(others) for one, others in forms.items()}


@lru_cache(2_000)
def _forms(name: str) -> tuple[str, ...]:
    """Return a name as it is, and in its other spellings: also with hyphens, dots and blanks, and in one piece."""
    words = [part for part in parts_of(name) if part.strip("_")]
    small = [word.lower() for word in words]
    great = [word[:1].upper() + word[1:] for word in small]
    joined = [mark.join(form) for mark in ("-", " ", ".", "") for form in (small, great)]
    return (name, *spellings(tuple(words))[:4], *joined) if words else (name,) * 13
