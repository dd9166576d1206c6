"""What two like edits have in common: the line as a pattern with holes, and what it is changed to.

A rule of one edit keeps some tokens around what it changes (:mod:`lsp_server.edits.rules`), and cannot know which of
the others belong to it. Two edits tell: what differs between their lines is a hole, what both have must stand at a
further place too, over the whole line. ``assertEquals(1, size(a));`` to ``assertThat(size(a)).isEqualTo(1);`` and the
same of another line make it of every such line, whatever stands in its holes; ``public final`` in two methods says
nothing of a field.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from lsp_server.edits.alignment import Operation, operations, operations_within
from lsp_server.edits.call_parts import divided, divides
from lsp_server.edits.changed_lines import GONE, is_block
from lsp_server.edits.lessons import CALL, Lesson, called
from lsp_server.edits.token_lines import TokenLine, common_ends, is_name, is_word, kind_of, parse, render, shifted
from lsp_server.spellings import parts_of

NEWEST: Final = 4
"""Edits of which the newest one and each other one are looked at together."""

MAX_TOKENS: Final = 120
"""Longer lines make no pattern."""

LONGEST_HOLE: Final = 60
"""Tokens of a hole at another line, at most."""

STEPS: Final = 400
"""Tries to lay a pattern over a line, at most; patterns that fit took up to 86 (35 edits by pattern)."""

MAY_BE_EMPTY: Final = 1
"""Holes in which nothing stood in one of both lines, at most."""

KEPT: Final = 256
"""Pairs of edits whose pattern is kept."""

LINES: Final = 4_096
"""Lines of which is kept what a pattern makes of them: a search after each edit looks at the same ones."""

_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSE: Final = frozenset(_PAIRS.values())

_ITSELF: Final = frozenset({"self", "this", "super", "cls"})
"""Names of the object itself."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A run of tokens that differs from line to line.

    :param number: lines repeat a hole where both edits did. :param kind: of its one token in both lines; else empty.
    :param may_be_empty: whether nothing stood there in one of them.
    :param whole: whether it was one expression in both lines, without a comma.
    """

    number: int
    kind: str
    may_be_empty: bool
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A name that is made of a hole's name: without its first and last letters, with others.

    :param cut: letters that go at both ends, literally. :param put: letters that come there.
    """

    number: int
    cut: tuple[str, str]
    put: tuple[str, str]

    @classmethod
    def changed(cls, number: int, cut: tuple[str, str], put: tuple[str, str]) -> "Part":
        """Return what changes of a name.

        An end that stays is no condition, though both edited names share it: ``cmd_tag_reg`` to ``cmd_tag_q`` and
        ``cmd_id_reg`` to ``cmd_id_q`` say ``_reg`` to ``_q``.
        """
        begin, end = ((old, new) if old != new else ("", "") for old, new in zip(cut, put, strict=True))
        return cls(number, (begin[0], end[0]), (begin[1], end[1]))

    def of(self, name: str) -> str | None:
        """Return the name that is made of another one; None where that has other letters at its ends."""
        (head, tail), (before, behind) = self.cut, self.put
        if len(name) <= len(head) + len(tail) or not (name.startswith(head) and name.endswith(tail)):
            return None
        return before + name[len(head) : len(name) - len(tail)] + behind


@dataclass(frozen=True, eq=False)
class Joint:
    """What two edits make of each line that their pattern fits.

    :param old: tokens and holes. :param new: pieces of the new text, each with the blanks before it, and with the
        number of the piece of ``old`` whose blanks it keeps; -1 for none.
    """

    first: Lesson
    second: Lesson
    old: tuple[str | Hole, ...]
    new: tuple[tuple[str, int, str | int | Part], ...]

    @cached_property
    def literals(self) -> frozenset[str]:
        """Tokens that every line has to hold."""
        return frozenset(piece for piece in self.old if isinstance(piece, str))

    @cached_property
    def named(self) -> bool:
        """Whether it holds a name; else it fits lines of one shape."""
        return any(map(_telling, self.literals))

    @cached_property
    def holes(self) -> int:
        """How many holes there are."""
        return len({piece.number for piece in self.old if isinstance(piece, Hole)})

    def fits(self, line: TokenLine) -> dict[int, tuple[int, int]] | None:
        """Return the tokens of each piece as half-open ranges by its place; None where the pattern does not fit."""
        if len(line.texts) > MAX_TOKENS or not self.literals <= line.words:
            return None
        return _laid(self.old, line.texts)

    def apply(self, text: str) -> str | None:
        """Return what becomes of a line; None where the pattern does not fit."""
        return _applied(self, text)

    def made(self, text: str) -> str | None:
        """Return what :meth:`apply` returns; nothing is kept."""
        line = parse(text)
        found = self.fits(line)
        if found is None:
            return None
        if not self.new:
            return GONE
        holes = {piece.number: found[at] for at, piece in enumerate(self.old) if isinstance(piece, Hole)}
        texts: list[str] = []
        spaces: list[str] = []
        for space, kept, piece in self.new:
            at = found[kept][0] if kept >= 0 else len(line.spaces)
            before = line.spaces[at] if at < len(line.spaces) else space
            if isinstance(piece, str):
                texts.append(piece)
                spaces.append(before)
                continue
            start, end = holes[piece.number if isinstance(piece, Part) else piece]
            made = line.texts[start:end]
            if isinstance(piece, Part):
                name = piece.of(made[0])
                if name is None:
                    return None
                made = (name,)
            texts += made
            spaces += [before, *line.spaces[start + 1 : end]][: len(made)]
        indent = shifted(line.indent, self.first.old.indent, self.first.new.indent)
        if spaces and spaces[0]:
            spaces[0] = ""
        return None if indent is None else render(indent, texts, spaces, line.tail)


@lru_cache(LINES)
def _applied(pattern: Joint, text: str) -> str | None:
    return pattern.made(text)


@lru_cache(KEPT)
def joints(lessons: tuple[Lesson, ...]) -> list[tuple[Joint, tuple[int, ...]]]:
    """Return the patterns of the newest edits with the numbers of the edits that they make as these were.

    :param lessons: the newest first, of different edits. A pattern that one of them contradicts is left out.
    """
    found: list[tuple[Joint, tuple[int, ...]]] = []
    known: set[tuple[object, ...]] = set()
    for at, first in enumerate(lessons[:NEWEST]):
        for second in lessons[at + 1 : NEWEST]:
            made = joint(first, second)
            if made is None or (made.old, made.new) in known:
                continue
            known.add((made.old, made.new))
            texts = [made.apply(one.old_text) for one in lessons[:NEWEST]]
            right = tuple(n for n, (one, text) in enumerate(zip(lessons, texts, strict=False)) if text == one.new_text)
            wrong = any(text is not None and n not in right for n, text in enumerate(texts))
            if not wrong and len(right) > 1:
                found.append((made, right))
    return found


@lru_cache(KEPT)
def joint(first: Lesson, second: Lesson) -> Joint | None:
    """Return what two edits have in common; None where they are not alike."""
    if first.side != second.side or first.side == CALL or is_block(first.new_text) != is_block(second.new_text):
        return None
    if (first.new_text == GONE) != (second.new_text == GONE):
        return None
    if first.new_text == GONE and (deleted := _deleted_calls(first, second)) is not None:
        return deleted
    a, b = first.old.texts, second.old.texts
    if not a or not b or max(len(a), len(b), len(first.new.texts), len(second.new.texts)) > MAX_TOKENS:
        return None
    if first.old.kinds != second.old.kinds and not any(map(_telling, first.words & second.words)):
        return None
    codes = operations(a, b)
    found = _of(first, second, codes)
    if found is not None or (within := operations_within(a, b)) == codes:
        return found
    return _of(first, second, within)


def _of(first: Lesson, second: Lesson, codes: Sequence[Operation]) -> Joint | None:
    """Return the pattern of two edits by one alignment of their lines; None where it would not make both of them."""
    old, runs = _pattern(first.old.texts, second.old.texts, codes)
    laid = _laid(old, first.old.texts) if _says_enough(old) else None
    new = _written(first.new.texts, second.new.texts, runs) if laid is not None else None
    if laid is None or new is None:
        return None
    pieces: list[tuple[str, int, str | int | Part]] = []
    for piece, (at, kept) in zip(new, _blanks_kept(first, old, new, laid), strict=True):
        pieces.append((first.new.spaces[at] if at < len(first.new.spaces) else "", kept, piece))
    made = Joint(first, second, tuple(old), tuple(pieces))
    again = made.apply(first.old_text), made.apply(second.old_text)
    return made if again == (first.new_text, second.new_text) else None


def _deleted_calls(first: Lesson, second: Lesson) -> Joint | None:
    """Return the pattern of two deleted calls of methods of one object, whatever their arguments are; else None.

    What is called on the object itself says nothing.
    """
    one, other = called(first.old), called(second.old)
    if one is None or other is None or one[1] != other[1] or one[0][:-1] != other[0][:-1]:
        return None
    on = one[0][:-1]
    if not on or is_word(on[-1]) or not any(is_name(text) and text not in _ITSELF for text in on):
        return None
    return Joint(first, second, (*on, Hole(0, "N", False), "(", Hole(1, "", True), ")", *one[1]), ())


_Run = tuple[tuple[str, ...], tuple[str, ...]]
"""What stands in a hole in both lines."""


def _pattern(a: Sequence[str], b: Sequence[str], codes: Sequence[Operation]) -> tuple[list[str | Hole], list[_Run]]:
    """Return what two lines have in common, and what stands in the holes."""
    old: list[str | Hole] = []
    runs: list[_Run] = []
    for name, i, j, m, n in codes:
        if name == "equal":
            old += a[i:j]
            continue
        run = tuple(a[i:j]), tuple(b[m:n])
        if run not in runs:
            runs.append(run)
        kinds = {kind_of(text) for text in (*run[0], *run[1])}
        single = len(run[0]) == len(run[1]) == 1 and len(kinds) == 1
        old.append(Hole(runs.index(run), kinds.pop() if single else "", not all(run), not any(map(divided, run))))
    return old, runs


def _says_enough(old: Sequence[str | Hole]) -> bool:
    """Whether a pattern tells its places: by a name and more tokens than it has holes, or by its signs alone."""
    literal = [piece for piece in old if isinstance(piece, str)]
    holes = [piece for piece in old if isinstance(piece, Hole)]
    if not any(map(_telling, literal)):
        return len(literal) >= max(2, len(holes)) and all(hole.kind for hole in holes)
    return len(literal) > len(holes) and sum(hole.may_be_empty for hole in holes) <= MAY_BE_EMPTY


def _telling(text: str) -> bool:
    return is_name(text) and len(text) > 1


def _written(a: Sequence[str], b: Sequence[str], runs: Sequence[_Run]) -> list[str | int | Part] | None:
    """Return a new text of two edits in tokens and holes; None where something differs that is no hole."""
    order = sorted(range(len(runs)), key=lambda number: -len(runs[number][0]) - len(runs[number][1]))
    found: list[str | int | Part] = []
    i = j = 0
    while i < len(a) or j < len(b):
        same = a[i : i + 1] == b[j : j + 1]  # then a hole that is empty in one of both lines does not stand here
        hole = next(
            (
                n
                for n in order
                if runs[n] == (tuple(a[i : i + len(runs[n][0])]), tuple(b[j : j + len(runs[n][1])]))
                and not (same and not all(runs[n]))
            ),
            None,
        )
        if hole is not None:
            found.append(hole)
            i, j = i + len(runs[hole][0]), j + len(runs[hole][1])
        elif i < len(a) and j < len(b) and a[i] == b[j]:
            found.append(a[i])
            i, j = i + 1, j + 1
        else:
            part = _part(a[i], b[j], runs) if i < len(a) and j < len(b) else None
            if part is None:
                return None
            found.append(part)
            i, j = i + 1, j + 1
    return found


def _part(one: str, other: str, runs: Sequence[_Run]) -> Part | None:
    """Return how two names were made of the names in a hole."""
    for number, (left, right) in enumerate(runs):
        if len(left) == len(right) == 1 and is_word(left[0]) and is_word(right[0]):
            head, tail = common_ends(parts_of(left[0]), parts_of(right[0]))
            words = parts_of(left[0])
            cut = "".join(words[:head]), "".join(words[len(words) - tail :])
            middle = left[0][len(cut[0]) : len(left[0]) - len(cut[1])]
            there = right[0][len(cut[0]) : len(right[0]) - len(cut[1])]
            if len(middle) > 1 and len(there) > 1 and middle in one and there in other:
                put = one.split(middle, 1)[0], one.split(middle, 1)[1]
                if f"{put[0]}{there}{put[1]}" == other:
                    return Part.changed(number, cut, put)
    return None


def _blanks_kept(
    first: Lesson,
    old: Sequence[str | Hole],
    new: Sequence[str | int | Part],
    laid: Mapping[int, tuple[int, int]],
) -> list[tuple[int, int]]:
    """Return for each new piece its first token in the first edit, and the old piece whose blanks it keeps, or -1."""
    keys = [piece if isinstance(piece, str) else f"\x00{piece.number}" for piece in old]
    sizes = {key: laid[at][1] - laid[at][0] for at, key in enumerate(keys)}
    wanted = [
        "\x01" if isinstance(piece, Part) else piece if isinstance(piece, str) else f"\x00{piece}" for piece in new
    ]
    places = [0, *itertools.accumulate(sizes.get(key, 1) for key in wanted)]
    same: dict[int, int] = {}
    for _, i, j, m, n in operations(keys, wanted):
        if j - i == n - m:  # what replaces a piece stands where that stood
            same.update({m + away: i + away for away in range(j - i)})
    found = []
    for number, at in enumerate(places[:-1]):
        kept = same.get(number, -1)
        if kept >= 0 and first.old.spaces[laid[kept][0] :][:1] != first.new.spaces[at:][:1]:
            kept = -1
        found.append((at, kept))
    return found


def _laid(old: Sequence[str | Hole], texts: Sequence[str]) -> dict[int, tuple[int, int]] | None:
    """Return where each piece of a pattern stands in a whole line, the shortest holes first."""
    tries = itertools.count()

    def rest(number: int, at: int, laid: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...] | None:
        if number == len(old):
            return laid if at == len(texts) else None
        if next(tries) > STEPS:
            return None
        piece = old[number]
        if isinstance(piece, str):
            return rest(number + 1, at + 1, (*laid, (at, at + 1))) if at < len(texts) and texts[at] == piece else None
        earlier = next((laid[n] for n in range(number) if old[n] == piece), None)
        for end in _ends(texts, at, piece):
            if earlier is None or texts[slice(*earlier)] == texts[at:end]:
                found = rest(number + 1, end, (*laid, (at, end)))
                if found is not None:
                    return found
        return None

    laid = rest(0, 0, ())
    return None if laid is None else dict(enumerate(laid))


def _ends(texts: Sequence[str], at: int, hole: Hole) -> Iterator[int]:
    """Yield where a hole that begins at a token may end: its brackets are closed."""
    if hole.may_be_empty:
        yield at
    if hole.kind:
        if at < len(texts) and kind_of(texts[at]) == hole.kind:
            yield at + 1
        return
    expected: list[str] = []
    for end in range(at, min(len(texts), at + LONGEST_HOLE)):
        text = texts[end]
        if hole.whole and not expected and divides(texts, at, end):
            return
        if text in _PAIRS:
            expected.append(_PAIRS[text])
        elif expected and expected[-1] == text:
            expected.pop()
        elif text in _CLOSE:
            return
        if not expected:
            yield end + 1
