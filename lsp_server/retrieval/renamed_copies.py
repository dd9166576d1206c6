"""Copies with other names: where the code before a place has the form of that before the cursor, but other words in it.

The tokens before the place and before the cursor are laid side by side, backwards, as far as they are the same or both
words. Each pair of different words is a renaming; applied to what follows the place, whole words and parts of words
alike, it gives a candidate that stands nowhere verbatim: ``self.height = height`` after ``self.width = width``.

This module renames; whether the result is any good is for the ranker to say.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from indexer.text.terms import IDENTIFIER_PART, identifier_parts
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.cursor import Scene
from lsp_server.retrieval.matches import (
    EARLIER,
    PATTERN,
    SEARCH_RANK_NONE,
    Origin,
    Origins,
    Places,
    line_lengths,
    window_of,
)

FORM_MINIMUM: Final = 5
"""Tokens of common form from which a place counts."""

FORM_DEPTH: Final = 24
"""Tokens that are laid side by side at most."""

LIMIT: Final = 40
"""Places that are renamed at most, those of the longest common form first."""

READ_LIMIT: Final = 12
"""Texts that are read for it, of those that no request before has read; each takes about 0.1 ms."""

_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, eq=False)
class Patterns:
    """Renamed places, and the rest of the line that each stands for.

    :param rests: text behind the token before the place, renamed; in the order of ``places``.
    """

    places: Places
    rests: list[str]


def rename(scene: Scene, places: Places, origins: Origins) -> Patterns | None:
    """Renamed copies of the places that have the cursor's form."""
    chosen = _promising(places)
    written = [_cursor_tokens(scene, reading.typed) for reading in scene.readings]
    rows: list[int] = []
    windows: list[list[int]] = []
    rests: list[str] = []
    forms: list[int] = []
    changes: list[int] = []
    read = 0
    for row in chosen:
        number = int(places.origin[row])
        if not origins.at_hand(number):
            read += 1
            if read > READ_LIMIT:
                continue
        origin = origins.origin(number)
        line, token = int(places.line[row]), int(places.token[row])
        form, names = _renaming(_tokens_before(origin, line, token, scene), written[int(places.reading[row])])
        if form < FORM_MINIMUM or not names:
            continue
        rest = origin.rest_of_line(line, token)
        renamed, changed = apply(rest, names)
        if not changed:
            continue
        rows.append(row)
        windows.append(window_of(renamed))
        rests.append(renamed)
        forms.append(form)
        changes.append(changed)
    if not rows:
        return None
    return Patterns(_as_places(places, np.array(rows), windows, forms, changes), rests)


def _as_places(
    places: Places,
    rows: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    windows: list[list[int]],
    forms: list[int],
    changes: list[int],
) -> Places:
    return Places(
        reading=places.reading[rows],
        source=np.full(len(rows), PATTERN),
        length=places.length[rows],
        weight=np.ones(len(rows)),
        origin=places.origin[rows],
        line=places.line[rows],
        token=places.token[rows],
        hit=np.where(places.source[rows] == EARLIER, places.hit[rows], SEARCH_RANK_NONE),
        indent=places.indent[rows],
        previous=places.previous[rows],
        form=np.array(forms, np.int64),
        changes=np.array(changes, np.int64),
        window=np.array(windows, np.uint32),
    )


def _promising(places: Places) -> list[int]:
    """The places to look at: lines that were just changed, then the longest form, and of those the nearest sources."""
    rows = np.flatnonzero(
        (places.form >= FORM_MINIMUM) & (places.form > places.length) & (line_lengths(places.window) > 0)
    )
    earlier = places.source[rows] == EARLIER
    order = np.lexsort((places.source[rows], -places.length[rows], -places.form[rows], ~earlier))[:LIMIT]
    chosen: list[int] = rows[order].tolist()
    return chosen


def _cursor_tokens(scene: Scene, typed: Sequence[int]) -> list[str]:
    """The tokens before the cursor, the nearest first."""
    tokens = TOKEN.findall(scene.prefix)[: len(typed)][::-1]
    return _with_lines_before(tokens, scene.frame.before.lines, len(scene.frame.before.lines))


def _tokens_before(origin: Origin, line: int, token: int, scene: Scene) -> list[str]:
    tokens = TOKEN.findall(origin.lines[line])[:token][::-1]
    return _with_lines_before(tokens, origin.lines, line)


def _with_lines_before(tokens: list[str], lines: Sequence[str], line: int) -> list[str]:
    while len(tokens) < FORM_DEPTH and line > 0:
        line -= 1
        before = TOKEN.findall(lines[line])
        if before:
            tokens.append("\n")
            tokens += before[::-1]
    return tokens[:FORM_DEPTH]


def _renaming(source: list[str], target: list[str]) -> tuple[int, dict[str, str]]:
    """The length of the common form, and what the source's words are called at the cursor."""
    names: dict[str, str] = {}
    form = 0
    for one, other in zip(source, target, strict=False):
        if one != other:
            if not (_WORD.fullmatch(one) and _WORD.fullmatch(other)):
                break
            # The nearest pair counts: further up the same word may have stood for something else.
            names.setdefault(one, other)
        else:
            names.setdefault(one, one)
        form += 1
    names = {one: other for one, other in names.items() if one != other}
    parts: dict[str, str] = {}
    for one, other in names.items():
        for a, b in changed_parts(one, other):
            parts.setdefault(a, b)
    return form, {**{f"\0{a}": b for a, b in parts.items()}, **names}


def changed_parts(one: str, other: str) -> list[tuple[str, str]]:
    """The parts of two words that differ, if they have as many parts and share one; lower case."""
    a, b = identifier_parts(one), identifier_parts(other)
    if len(a) != len(b) or len(a) < 2:
        return []
    differing = [(x.lower(), y.lower()) for x, y in zip(a, b, strict=True) if x.lower() != y.lower()]
    return differing if len(differing) < len(a) else []


def apply(text: str, names: dict[str, str]) -> tuple[str, int]:
    """A text with its words renamed, and how many were."""
    changed = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal changed
        word = match[0]
        new = names.get(word) or IDENTIFIER_PART.sub(
            lambda part: _recase(part[0], names.get(f"\0{part[0].lower()}")), word
        )
        changed += new != word
        return new

    return _WORD.sub(replace, text), changed


def _recase(part: str, new: str | None) -> str:
    """A new part in the case of the old one."""
    if new is None:
        return part
    if part.isupper() and len(part) > 1:
        return new.upper()
    return new.capitalize() if part[0].isupper() else new
