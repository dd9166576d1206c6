"""Derives the next row where the rows above follow the order of a list that stands elsewhere in the document.

``this.address = address;`` follows ``this.name = name;`` in the order of the parameters, ``case GREEN:`` follows
``case RED:`` in that of the enumeration, ``.rst_ni (rst_ni),`` follows ``.clk_i (clk_i),`` in that of the ports. Two
rows of one form above the cursor use two neighbouring items; the next row uses the item behind them. One row is enough
below the head of a function, if it is an assignment with the first parameter on both sides. At the list's end there is
no next row.

The gate knows nothing of such lists, so each kind of evidence has a probability of its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from indexer.text.lines import leading_blanks
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.cursor import LineContext
from lsp_server.retrieval.listed_items import (
    WORD,
    Neighbours,
    comma_list,
    counterpart,
    exchangeable,
    is_comment,
    is_end,
    neighbours,
)
from lsp_server.retrieval.matches import ExpectedRow
from lsp_server.spellings import changed_part, parts_of, spellings, with_parts

REACH: Final = 30_000
"""Characters on either side of the rows in which their list is looked for."""

LOOK_BACK: Final = 120
"""Lines above the cursor among which the last two rows are looked for."""

TOKENS: Final = 60
"""Tokens of the longest row."""

SURE: Final = 0.89
"""How often a row is right if the rule makes the row above it as well."""

FIRST: Final = 0.77
"""How often it is right otherwise."""

ASSIGNMENT: Final = 8
"""Tokens of the longest row that is enough evidence alone: ``this.name = name;``."""

NEAR: Final = 60
"""Lines on either side of the cursor that must not have the next row already."""

SHORT: Final = 3
"""Letters of the shortest item that is replaced within longer names."""

_OWN = frozenset({"self", "this", "cls"})


@dataclass(frozen=True, slots=True)
class _Place:
    """The lines around a cursor."""

    above: Sequence[str]
    below: Sequence[str]

    def texts(self, before: int) -> list[tuple[str, Sequence[str]]]:
        """Return what is above a row and below the cursor, as far as lists are looked for, with its lines."""
        first, size = before, 0
        while first > 0 and size < REACH:
            first -= 1
            size += len(self.above[first]) + 1
        last, size = 0, 0
        while last < len(self.below) and size < REACH:
            size += len(self.below[last]) + 1
            last += 1
        return [("\n".join(lines), lines) for lines in (self.above[first:before], self.below[:last])]


def listed_row(context: LineContext, blanks: str) -> ExpectedRow | None:
    """Return the next row in the order of a list; None where the rows above follow none.

    :param blanks: the indentation of the cursor's line.
    """
    place = _Place(context.before.lines, context.after.lines)
    found = _next_row(place, blanks)
    if found is None:
        return None
    near = (*place.above[-NEAR:], *place.below[:NEAR])
    return None if any(line.strip().startswith(found.text) for line in near) else found


def _next_row(place: _Place, blanks: str) -> ExpectedRow | None:
    rows = _rows_above(place.above, blanks)
    if not rows or is_comment(place.above[rows[0][0]]):
        return None
    last = rows[0][0]
    if len(rows) == 1:
        directly_above = last == len(place.above) - 1
        return _second_parameter(place.above, last, blanks) if directly_above else None
    if rows[0][1:] != rows[1][1:]:
        return None
    found = _third_row(place, last, rows[1][0])
    if found is None:
        return None
    earlier = _Place(place.above[:last], place.below)
    before = _third_row(earlier, rows[1][0], rows[2][0]) if len(rows) > 2 else None
    continues = before is not None and _bare(before.text) == _bare(place.above[last])
    return replace(found, probability=SURE) if continues else found


def _bare(text: str) -> str:
    return "".join(text.split())


def _rows_above(lines: Sequence[str], blanks: str) -> list[tuple[int, int, int]]:
    """Return the numbers of the last three rows with an indentation, nearest first.

    Deeper lines and ends of blocks belong to the row above them. How many blank lines stand below each follows, and how
    many ends with its indentation it has: one more is due before the next row where the row above has fewer.
    """
    found: list[tuple[int, int, int]] = []
    row, empty, ends, body = len(lines) - 1, 0, 0, False
    while row >= max(0, len(lines) - LOOK_BACK) and len(found) < 3:
        line = lines[row]
        if not line.strip():
            empty += not body
        else:
            own = leading_blanks(line)
            if len(own) < len(blanks) or (len(own) == len(blanks) and own != blanks):
                break
            body = True
            if own == blanks and not is_end(line):
                found.append((row, empty, ends))
                empty, ends, body = 0, 0, False
            elif own == blanks:
                ends += 1
        row -= 1
    return found


def _third_row(place: _Place, last: int, before: int) -> ExpectedRow | None:
    """Return the row behind two rows of one form; None where lists do not agree about it, or one of them ends."""
    text = place.above[last]
    new, old = TOKEN.findall(text), TOKEN.findall(place.above[before])
    if len(new) != len(old) or len(new) > TOKENS or new == old:
        return None
    changing = [number for number, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]]
    if not all(exchangeable(old[number], new[number]) for number in changing):
        return None
    found: set[str] = set()
    ends = cut = False  # rows that are copied and go on in another form count as an end
    texts = place.texts(before)
    for one, other in _items([(old[number], new[number]) for number in changing]):
        for around in chain.from_iterable(neighbours(*part, one, other) for part in texts):
            if not around.item or (_begins_like(new, around.here) and len(around.here) != len(around.behind)):
                ends = True
            elif around.item not in (one, other):
                words = _filled(old, new, changing, (one, other), around)
                if words is not None:
                    row = _with_words(text, words)
                    found.add(row)
                    cut |= around.last and new[-1] in (",", around.here[-1])
    if len(found) != 1 or ends:
        return None
    [row] = found
    if cut:
        row = row.removesuffix(new[-1]).rstrip()
    return ExpectedRow(row, last, FIRST, not cut)


def _begins_like(row: Sequence[str], element: Sequence[str]) -> bool:
    """Return whether a row is an element of a list but for the mark behind it."""
    return list(row[: len(element) - 1]) == list(element[:-1]) and len(row) - len(element) in (0, 1)


def _items(changes: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the items that two rows may have used, in each usual spelling, from the words that changed."""
    seen: set[tuple[str, str]] = set()
    for one, other in changes:
        if not WORD.fullmatch(one):
            continue
        pairs = [(one, other), *zip(spellings(tuple(parts_of(one))), spellings(tuple(parts_of(other))), strict=True)]
        changed = changed_part(one, other)
        if changed is not None:
            pairs += zip(spellings(changed[0]), spellings(changed[1]), strict=True)
        for pair in pairs:
            if pair not in seen and pair[0] != pair[1] and all(len(word) > 1 and WORD.fullmatch(word) for word in pair):
                seen.add(pair)
                yield pair
    for one, other in changes:
        if len(one) == len(other) == 1 and WORD.fullmatch(one):
            yield one, other


def _filled(
    old: Sequence[str], new: Sequence[str], changing: Sequence[int], items: tuple[str, str], around: Neighbours
) -> dict[int, str] | None:
    """Return the next row's words for those of the last row, by number; None where the rows do not follow the list.

    Words that are no form of the item are those of the list's elements, as types are. Numbers that seem to count are
    not carried on: in nineteen repositories that made 20 wrong rows and no right one, most of them of widths.
    """
    one, other = items
    words: dict[int, str] = {}
    for number in changing:
        if _renamed(old[number], one, other) == new[number]:
            words[number] = _renamed(new[number], other, around.item)
            if words[number] == new[number]:
                return None
            continue
        word = _from_elements(old[number], new[number], around)
        if word is None:
            return None
        words[number] = word
    for number, word in enumerate(new):
        if number not in words and word[0].isalnum() and word in around.here and word in around.before:
            if len(around.behind) != len(around.here):
                return None
            words[number] = _from_elements(word, word, around) or word
    return words


def _renamed(word: str, one: str, other: str) -> str:
    """Return a word with an item in place of another, also in other spellings and within longer names."""
    if word == one:
        return other
    pairs = zip(spellings(tuple(parts_of(one))), spellings(tuple(parts_of(other))), strict=True)
    table = {gone: come for gone, come in pairs if come and len(gone) >= SHORT}
    if len(one) >= SHORT:
        table[one] = other
    return with_parts(word, table)


def _from_elements(one: str, other: str, around: Neighbours) -> str | None:
    """Return the next element's word for a word that the last two elements have in one position."""
    for number, word in enumerate(around.here):
        if word != other:
            continue
        for side in ("start", "end"):
            at, behind = (counterpart(around.here, number, side, one) for one in (around.before, around.behind))
            if at is not None and behind is not None and around.before[at] == one:
                return around.behind[behind]
    return None


def _with_words(text: str, words: dict[int, str]) -> str:
    """Return a row with other words for some of its tokens."""
    numbers = iter(range(len(text)))
    return TOKEN.sub(lambda found: words.get(next(numbers), found[0]), text).strip()


def _second_parameter(lines: Sequence[str], row: int, blanks: str) -> ExpectedRow | None:
    """Return the row of the second parameter below a function's head and the row of the first one."""
    if row == 0 or len(leading_blanks(lines[row - 1])) >= len(blanks):
        return None
    head = "\n".join(lines[max(0, row - 12) : row])
    close = head.rfind(")")
    if close < 0 or "\n" in head[close:]:
        return None
    start = _opening(head, close)
    if start is None:
        return None
    found = comma_list(head, _first_word(head, start, close))
    elements = [element[: element.index("=")] if "=" in element else element for element in found[0]]
    first = 1 if _OWN & set(elements[0]) else 0
    if len(elements) < first + 2:
        return None
    tokens = TOKEN.findall(lines[row])
    here, behind = elements[first], elements[first + 1]
    if "=" not in tokens or len(tokens) > ASSIGNMENT:
        return None
    for number, word in enumerate(here):
        at = counterpart(here, number, "end" if number == len(here) - 1 else "start", behind)
        if at is None or word not in tokens or not WORD.fullmatch(word) or not WORD.fullmatch(behind[at]):
            continue
        new = {n: _renamed(one, word, behind[at]) for n, one in enumerate(tokens) if WORD.fullmatch(one)}
        if sum(one != tokens[number] for number, one in new.items()) == 2:
            return ExpectedRow(_with_words(lines[row], new), row, FIRST)
    return None


def _opening(text: str, close: int) -> int | None:
    """Return the bracket that a closing one belongs to."""
    depth = 0
    for at in range(close, -1, -1):
        depth += (text[at] == ")") - (text[at] == "(")
        if depth == 0:
            return at
    return None


def _first_word(text: str, start: int, close: int) -> int:
    found = re.compile(r"\w").search(text, start, close)
    return found.start() if found else start
