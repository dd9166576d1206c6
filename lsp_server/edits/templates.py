"""An edit as a template: what its line keeps inside the change is a hole, the rest is literal.

``list(map(lambda user: user.name, users))`` to ``[user.name for user in users]`` makes the same of other such calls,
however long their parts are; ``User load`` to ``Task<User> load`` wraps other types, ``:name => x`` to ``name: x``
changes other keys.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from typing import Final

from lsp_server.edits.alignment import operations
from lsp_server.edits.token_lines import BEGIN, END, TokenLine, common_ends, is_word, kind_of, parse, render

MAX_TOKENS: Final = 40
"""Longer changes are no templates."""

LONGEST_HOLE: Final = 24
"""Tokens of a hole at another line, at most."""

MATCHES: Final = 8
"""Places of a line that change, at most."""

FEW_SIGNS: Final = 2
"""So many literal signs, or a word, say enough; with less, what stands around has to agree."""

_PAIRS: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}
_CLOSE: Final = frozenset(_PAIRS.values())
_QUOTES: Final = frozenset("\"'`")
_BEGINS: Final = frozenset("([{&*-!@$:") | _QUOTES
_ENDS: Final = frozenset("?*") | _CLOSE | _QUOTES

_ENDED: Final = _CLOSE | frozenset({",", ";", "\n", END})
"""Tokens before which an expression ends."""

_Piece = int | str
_Holes = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Template:
    """What is made of an expression whose parts differ from place to place.

    :param around: the token before it and the kind of the token behind it; None if it says enough by itself.
    :param old: what stands there: literal tokens and the numbers of holes.
    :param new: what comes, each piece with the blanks before it.
    :param longest: whether a hole at the end takes as much as it can.
    """

    around: tuple[str, str] | None
    old: tuple[_Piece, ...]
    new: tuple[tuple[str, _Piece], ...]
    longest: bool = False

    @cached_property
    def phrase(self) -> str:
        """A literal text of each place, the longest word; empty without any."""
        return max((piece for piece in self.old if isinstance(piece, str) and is_word(piece)), key=len, default="")

    @cached_property
    def _needed(self) -> frozenset[str]:
        before = {self.around[0]} if self.around else set()
        return frozenset({piece for piece in self.old if isinstance(piece, str)} | before) - {BEGIN}

    @cached_property
    def _brought(self) -> frozenset[str]:
        """Words that only the new text has; none where a word of the old text goes, so that it is changed only once."""
        words, before = (
            frozenset(piece for piece in pieces if isinstance(piece, str) and is_word(piece))
            for pieces in ([piece for _, piece in self.new], self.old)
        )
        return words - before if before <= words else frozenset()

    def apply(self, line: TokenLine) -> tuple[str, int] | None:
        """Return the line after the template and the number of places that changed; None where it fits nowhere."""
        if not self._needed <= line.words or (self._brought and self._brought <= line.words):
            return None
        texts, spaces, made, at = list(line.texts), list(line.spaces), 0, 0
        while at < len(texts) and made < MATCHES:
            match = self._match(texts, at)
            if match is None:
                at += 1
                continue
            end, holes = match
            flat: list[tuple[str, str]] = []
            for space, piece in self.new:
                if isinstance(piece, str):
                    flat.append((space, piece))
                else:
                    start, stop = holes[piece]
                    flat.append((space, texts[start]))
                    flat += zip(spaces[start + 1 : stop], texts[start + 1 : stop], strict=True)
            flat[0] = (spaces[at], flat[0][1])
            texts[at:end] = [text for _, text in flat]
            spaces[at:end] = [space for space, _ in flat]
            made, at = made + 1, at + len(flat)
        return (render(line.indent, texts, spaces, line.tail), made) if made else None

    def _match(self, texts: Sequence[str], at: int) -> tuple[int, _Holes] | None:
        """Return where the expression that begins at a token ends, and the tokens of each hole."""
        if self.around is not None and (texts[at - 1] if at else BEGIN) != self.around[0]:
            return None
        return next(self._rest(texts, at, 0, {}), None)

    def _rest(self, texts: Sequence[str], at: int, number: int, holes: _Holes) -> Iterator[tuple[int, _Holes]]:
        if number == len(self.old):
            if self.around is None or kind_of(texts[at] if at < len(texts) else END) == self.around[1]:
                yield at, holes
            return
        piece = self.old[number]
        if isinstance(piece, str):
            if at < len(texts) and texts[at] == piece:
                yield from self._rest(texts, at + 1, number + 1, holes)
        elif piece in holes:
            there = texts[slice(*holes[piece])]
            if texts[at : at + len(there)] == there:
                yield from self._rest(texts, at + len(there), number + 1, holes)
        else:
            ends: Iterable[int] = _ends(texts, at)
            if self.longest and number + 1 == len(self.old):
                ends = reversed(list(ends))
            for end in ends:
                yield from self._rest(texts, end, number + 1, {**holes, piece: (at, end)})


def _ends(texts: Sequence[str], at: int) -> Iterator[int]:
    """Yield where a part that begins at a token may end: its brackets are closed, and no comma stands outside them."""
    if at >= len(texts) or not (is_word(texts[at]) or texts[at] in _BEGINS):
        return
    expected: list[str] = []
    for end in range(at, min(len(texts), at + LONGEST_HOLE)):
        text = texts[end]
        if text in _PAIRS and (text != "<" or (end > at and is_word(texts[end - 1]))):
            expected.append(_PAIRS[text])
        elif text in _CLOSE and expected and expected[-1] == text:
            expected.pop()
        elif text in ")]}" or (text in ",;" and not expected):
            return
        if not expected and (is_word(text) or text in _ENDS):
            yield end + 1


def template(old: TokenLine, new: TokenLine) -> Template | None:
    """Return what the change of a line says of like expressions; None where no part of it stays inside the change.

    A change that a line holds several times counts once.
    """
    head, tail = common_ends(old.texts, new.texts)
    head -= _repeated(old.texts[:head], old.texts[head : len(old.texts) - tail])
    while tail and not (
        _closed(old.texts[head : len(old.texts) - tail]) and _closed(new.texts[head:][: -tail or None])
    ):
        tail -= 1
    i, j, m, n = head, len(old.texts) - tail, head, len(new.texts) - tail
    if j - i + n - m > MAX_TOKENS or i == j or m == n:
        return None
    codes = operations(old.texts[i:j], new.texts[m:n])
    regions = [(i + a, i + b, m + c, m + d) for name, a, b, c, d in codes if name != "equal"]
    twos = [_made(old, new, (one[0], two[1], one[2], two[3])) for one, two in itertools.pairwise(regions)]
    often = Counter(one for one in twos if one is not None).most_common(1)
    made = often[0][0] if often and often[0][1] > 1 else _made(old, new, (i, j, m, n))
    if made is None:
        return None
    ended = made.around is None and old.padded[j + 1] in _ENDED
    for one in (replace(made, longest=ended), replace(made, longest=not ended)):
        again = one.apply(old)
        if again is not None and parse(again[0]).texts == new.texts:
            return one
    return None


def _closed(texts: Sequence[str]) -> bool:
    """Whether the brackets of tokens are in pairs."""
    arrows = sum(a in "=-" and b == ">" for a, b in itertools.pairwise(texts))
    return all(texts.count(one) == texts.count(_PAIRS[one]) - (one == "<") * arrows for one in _PAIRS)


def _made(old: TokenLine, new: TokenLine, region: tuple[int, int, int, int]) -> Template | None:
    i, j, m, n = region
    gone, come = old.texts[i:j], new.texts[m:n]
    holes = _holes(gone, come)
    before, after = _told_apart(_with_holes(gone, holes), _with_holes(come, holes), len(holes))
    if not holes or before == after or not (_inside(before) or _inside(after)):
        return None
    if not {piece for _, piece in after if isinstance(piece, int)} <= {p for _, p in before if isinstance(p, int)}:
        return None
    literals = [piece for _, piece in before if isinstance(piece, str)]
    enough = any(map(is_word, literals)) or len(literals) >= FEW_SIGNS
    around = None if enough else (old.padded[i], kind_of(old.padded[j + 1]))
    pieces = tuple((new.spaces[m + at], piece) for at, piece in after)
    return Template(around, tuple(piece for _, piece in before), pieces)


def _holes(gone: Sequence[str], come: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the runs of tokens that stand in both, the longest first; each begins with a word."""
    found: list[tuple[str, ...]] = []
    left: list[str | None] = list(gone)
    right: list[str | None] = list(come)
    while True:
        mine, theirs = [text or "\x00" for text in left], [text or "\x01" for text in right]
        a, b, size = SequenceMatcher(None, mine, theirs, autojunk=False).find_longest_match()
        if not size:
            return found
        first = next((at for at in range(a, a + size) if is_word(gone[at])), a + size)
        ends = [end for end in range(first + 1, a + size + 1) if is_word(gone[end - 1]) or gone[end - 1] in _CLOSE]
        last = max((end for end in ends if _closed(gone[first:end])), default=first)
        if last > first:
            found.append(tuple(gone[first:last]))
            a, b, size = first, b + first - a, last - first
        left[a : a + size] = right[b : b + size] = [None] * size


def _with_holes(texts: Sequence[str], holes: Sequence[tuple[str, ...]]) -> list[tuple[int, _Piece]]:
    """Return tokens with the numbers of holes in their places, each piece with its first token."""
    found: list[tuple[int, _Piece]] = []
    at = 0
    while at < len(texts):
        number = next((k for k, hole in enumerate(holes) if tuple(texts[at : at + len(hole)]) == hole), None)
        found.append((at, texts[at] if number is None else number))
        at += 1 if number is None else len(holes[number])
    return found


def _repeated(before: Sequence[str], gone: Sequence[str]) -> int:
    """Return how many tokens before a change it repeats: ``x.a`` in ``x.a != null ? x.a`` is a hole of the change."""
    for size in range(min(len(before), len(gone)), 0, -1):
        run = tuple(before[len(before) - size :])
        if (
            is_word(run[0])
            and _closed(run)
            and any(tuple(gone[at : at + size]) == run for at in range(len(gone) - size + 1))
        ):
            return size
    return 0


def _told_apart(
    before: list[tuple[int, _Piece]], after: list[tuple[int, _Piece]], holes: int
) -> tuple[list[tuple[int, _Piece]], list[tuple[int, _Piece]]]:
    """Return pieces in which a hole that both texts hold equally often is as many holes, in the same order.

    ``"job %s" % job`` to ``f"job {job}"`` says nothing of both names being the same.
    """
    for hole in range(holes):
        places = [[at for at, (_, piece) in enumerate(pieces) if piece == hole] for pieces in (before, after)]
        if len(places[0]) == len(places[1]):
            for one, other in zip(places[0][1:], places[1][1:], strict=True):
                before[one], after[other] = (before[one][0], holes), (after[other][0], holes)
                holes += 1
    return before, after


def _inside(pieces: Sequence[tuple[int, _Piece]]) -> bool:
    """Whether a hole stands between literal tokens."""
    literal = [at for at, (_, piece) in enumerate(pieces) if isinstance(piece, str)]
    return bool(literal) and any(literal[0] < at < literal[-1] for at in range(len(pieces)) if at not in literal)
