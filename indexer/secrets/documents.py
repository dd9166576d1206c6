"""Masks an editor's document after each key: only the lines near the change are searched again.

A masked document has the length and the lines of the document itself: each character of a secret is one
:data:`~indexer.secrets.cover.COVER`. Offsets, columns and line ends are therefore the same, and nothing behind this
module ever holds the secret. What masking the whole document covers is covered, for secrets within :data:`REACH` lines
of what shows them; what only the whole document shows (``find_far``) is looked for each time. A value that stood near
what showed it stays covered until its own lines are searched again.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Final

from indexer.secrets.cover import Span, covered, merged
from indexer.secrets.key_blocks import LITERALS, key_signs
from indexer.secrets.masking import find_far, find_near, may_show_far, spread, values_of

REACH: Final = 16
"""Lines before and after a secret that may show that it is one."""

REACH_CHARS: Final = 4_000
"""Characters that these lines have, at most; lines of a document are seldom longer than 250."""

REACH_FROM: Final = 4 * REACH
"""Lines between two changes from which each is searched by itself."""

PLACES: Final = 8
"""Changes between two versions that are searched by themselves, at most."""

_LONGEST: Final = max(map(len, LITERALS))

KEPT: Final = 60
"""Documents whose secrets are remembered."""


class DocumentMasker:
    """Masks the versions of one document. Not thread-safe.

    :param path: decides which rules hold, as for :func:`indexer.secrets.masking.mask`.
    :ivar text: the version that was masked last; None before the first.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.text: str | None = None
        self._masked = ""
        self._near: list[Span] = []
        self._far: list[Span] = []
        self._signs: list[int] = []
        self._places: dict[str, list[Span]] = {}  # of each value that is long enough to be looked for everywhere
        self._typed = 0  # where the last change began

    def mask(self, text: str) -> str:
        """Return a version of the document with its secrets covered; of the same length."""
        old = self.text
        if text == old:
            return self._masked
        self.text = text
        if old is None:
            self._signs = key_signs(text)
            self._near, self._far = merged(find_near(text, self.path)), find_far(text, self.path, self._signs)
            self._places = {value: list(spread(text, [value])) for value in self._values(text)}
            self._masked = covered(text, self._spans())
        else:
            for version in _versions(old, text, self._typed):
                self._update(old, version)
                old = version
        return self._masked

    def _values(self, text: str) -> set[str]:
        return values_of(text, [*self._near, *merged(self._far)])

    def _spans(self) -> list[Span]:
        return merged([*self._near, *self._far, *chain.from_iterable(self._places.values())])

    def _update(self, old: str, new: str) -> None:
        """Search near the change, and take everything else over."""
        same, same_end = _common(old, new, self._typed)
        self._typed = same
        moved = len(new) - len(old)
        start, end = _back(new, same), _forward(new, len(new) - same_end)
        first, last = _back(new, start), _forward(new, end)
        found = [(left + first, right + first) for left, right in find_near(new[first:last], self.path)]
        before, kept = self._near, self._outside(self._near, start, end, moved)
        self._near = merged([*kept, *(span for span in found if start <= span[0] < end)])
        changed = _differing(before, self._near, end, moved)
        changed += self._find_far(old, new, start, end, moved)
        changed += self._find_places(new, start, end, moved)
        start = max(0, min([start, *(left for left, _ in changed)]))
        end = min(len(new), max([end, *(right for _, right in changed)]))
        self._masked = self._patched(new, start, end, moved)

    def _find_far(self, old: str, new: str, start: int, end: int, moved: int) -> list[Span]:
        """Find what only the whole document shows; yield where, in the new text, that changed."""
        near = max(0, start - _LONGEST), min(len(new), end + _LONGEST)
        above, below = (one for one in self._signs if one < near[0]), (one for one in self._signs if one + moved >= end)
        inside = (one for one in key_signs(new, *near) if one < end)
        self._signs = [*above, *inside, *(one + moved for one in below)]
        whole = may_show_far(self.path, old, (start, end - moved)) or may_show_far(self.path, new, (start, end))
        whole = whole or any(left < end - moved and start < right for left, right in self._far)
        before = self._far
        self._far = find_far(new, self.path, self._signs) if whole else _moved(before, end, moved)
        return _differing(before, self._far, end, moved) if whole else []

    def _find_places(self, new: str, start: int, end: int, moved: int) -> Iterator[Span]:
        """Find the values of secrets wherever they stand; yield the places of those that came or went."""
        values, known = self._values(new), self._places
        self._places = {}
        for value in values:
            before = known.get(value)
            if before is None:
                self._places[value] = list(spread(new, [value]))
                yield from self._places[value]
            else:
                self._places[value] = [*self._outside(before, start, end, moved), *spread(new, [value], start, end)]
        for value in known.keys() - values:
            yield from _differing(known[value], [], end, moved)

    def _patched(self, new: str, start: int, end: int, moved: int) -> str:
        """Return the masked text with a new part from ``start`` to ``end``."""
        spans = self._spans()
        start = min([start, *(left for left, right in spans if left < start < right)])
        end = max([end, *(right for left, right in spans if left < end < right)])
        inside = [(left - start, right - start) for left, right in spans if start <= left and right <= end]
        return "".join((self._masked[:start], covered(new[start:end], inside), self._masked[end - moved :]))

    def _outside(self, spans: list[Span], start: int, end: int, moved: int) -> list[Span]:
        """Return the spans that begin outside a part of the new text, where they are now."""
        return [span for span in spans if span[0] < start] + [
            (left + moved, right + moved) for left, right in spans if left + moved >= end
        ]


def _differing(before: list[Span], now: list[Span], end: int, moved: int) -> list[Span]:
    """Return the spans of two versions that are not the same, in the new text; of old ones perhaps a little more."""
    old = set(_moved(before, end, moved))
    gone = ((left - max(0, -moved), right + max(0, moved)) for left, right in old.difference(now))
    return [*gone, *set(now).difference(old)]


def _moved(spans: list[Span], end: int, moved: int) -> list[Span]:
    return [(left + moved, right + moved) if left + moved >= end else (left, right) for left, right in spans]


def _versions(old: str, new: str, hint: int) -> list[str]:
    """Return the versions that lead from one text to the next: one for each place, where two or more are far apart.

    What stands between two distant changes need not be searched again. Only changes that keep the number of lines are
    separated.
    """
    same, same_end = _common(old, new, hint)
    first, last, most = old.rfind("\n", 0, same) + 1, len(old) - same_end, len(new) - same_end
    if most - first <= REACH_CHARS:
        return [new]
    lines, wanted = old[first:last].split("\n"), new[first:most].split("\n")
    if len(lines) != len(wanted):
        return [new]
    differing = [number for number, (one, other) in enumerate(zip(lines, wanted, strict=True)) if one != other]
    begins = [number for above, number in pairwise([-REACH_FROM, *differing]) if number - above >= REACH_FROM]
    if not 1 < len(begins) <= PLACES:
        return [new]
    versions = []
    for begin, end in pairwise([*begins, len(lines)]):
        lines[begin:end] = wanted[begin:end]
        versions.append("".join((old[:first], "\n".join(lines), old[last:])))
    return versions


def _common(old: str, new: str, hint: int) -> Span:
    """Return how many characters two texts have in common at their beginnings and at their ends.

    :param hint: where the change before this one began; the next one is most often near.
    """
    shortest = min(len(old), len(new))
    low, high = 0, shortest
    near = max(0, min(hint - 50, shortest))
    if new.startswith(old[:near]):
        low = near
        if new[near : near + 200] != old[near : near + 200]:
            high = min(shortest, near + 200)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if old[low:middle] == new[low:middle] else (low, middle - 1)
    same = low
    low, high = 0, shortest - same
    rest = max(0, high - 200)
    if new.endswith(old[len(old) - rest :]) and rest:
        low = rest
    while low < high:
        middle = (low + high + 1) // 2
        equal = old[len(old) - middle : len(old) - low] == new[len(new) - middle : len(new) - low]
        low, high = (middle, high) if equal else (low, middle - 1)
    return same, low


def _back(text: str, position: int) -> int:
    """Return the start of the line :data:`REACH` lines before a position."""
    least = max(0, position - REACH_CHARS)
    for _ in range(REACH + 1):
        position = text.rfind("\n", least, position)
        if position < 0:
            return text.rfind("\n", 0, least) + 1
    return position + 1


def _forward(text: str, position: int) -> int:
    """Return the end of the line :data:`REACH` lines after a position."""
    most = min(len(text), position + REACH_CHARS)
    for _ in range(REACH + 1):
        found = text.find("\n", position, most)
        if found < 0:
            end = text.find("\n", most)
            return len(text) if end < 0 else end + 1
        position = found + 1
    return position


class MaskedDocuments:
    """The maskers of the documents that were used last. Not thread-safe."""

    def __init__(self) -> None:
        self._maskers: OrderedDict[str, DocumentMasker] = OrderedDict()

    def mask(self, uri: str, path: str, text: str) -> str:
        """Return a version of a document with its secrets covered; of the same length."""
        masker = self._maskers.pop(uri, None)
        if masker is None or masker.path != path:
            masker = DocumentMasker(path)
        self._maskers[uri] = masker
        while len(self._maskers) > KEPT:
            self._maskers.popitem(last=False)
        return masker.mask(text)

    def known(self, uri: str, path: str, text: str) -> str | None:
        """Return the covered text if it was the last one of a document; else None."""
        masker = self._maskers.get(uri)
        return masker.mask(text) if masker is not None and (masker.path, masker.text) == (path, text) else None

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._maskers.pop(uri, None)
