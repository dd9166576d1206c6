"""Operators that edits of signs change, and where those stand that assign.

``==`` to ``===`` says nothing of ``=``. And ``=`` and ``<=`` assign in a statement; in a declaration, in the head of a
loop and in a comparison they mean something else. So an edit of such an operator tells only of those that stand as it
does.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from lsp_server.edits.alignment import operations
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.token_lines import TokenLine, is_name, parse

OPERATOR: Final = frozenset("=<>!&|+-*/%^~?:@#.$\\")
"""The tokens of operators; ``<=`` is two of them."""

ASSIGN: Final = (("=",), ("<", "="))

KEPT: Final = 2_000
"""Pairs of lines of which it is kept what was changed."""

_BEFORE_STATEMENT: Final = frozenset({"", ")", ";", "{", "}", "else", "begin", "do", "then"})
_BEFORE_NAME: Final = frozenset({"]", ">", "*", "&"})
"""Ends of a type, before the name that is declared with it."""

_OPENERS: Final = {")": "(", "]": "[", "}": "{"}
_STATEMENT, _DECLARATION, _PART = "statement", "declaration", "part"


def stand_otherwise(lessons: Iterable[Lesson], line: str, text: str) -> bool:
    """Return whether edits changed operators, and a text changes another one, or one that assigns in something else."""
    known = frozenset[str]().union(*(_changed(one.old_text, one.new_text) for one in lessons))
    return bool(known) and not _changed(line, text) <= known


@lru_cache(KEPT)
def _changed(old: str, new: str) -> frozenset[str]:
    """Return the operators that an edit replaced by signs, or to which it added some.

    Of those that assign it is what they stand in.
    """
    before, after = parse(old), parse(new)
    found = set()
    for kind, start, end, come, stop in operations(before.texts, after.texts):
        if kind == "equal" or any(map(is_name, (*before.texts[start:end], *after.texts[come:stop]))):
            continue
        around = range(start - 1, end + 1) if start == end else range(start, end)
        for at in around:
            if not (0 <= at < len(before.texts) and before.texts[at] in OPERATOR):
                continue
            first, last = operator_around(before, at, at + 1)
            if before.texts[first:last] in ASSIGN:
                found.add(standing(before, first))
            elif start < end or not (*after.spaces, " ")[come if at < start else stop]:
                run = "".join(before.texts[first:last])
                stays = "=" not in (*before.texts[start:end], *after.texts[come:stop])
                found.add(run.removesuffix("=") if stays else run)  # ``+=`` goes with ``+``
    return frozenset(found)


def operator_around(
    line: TokenLine, first: int, last: int, across: tuple[bool, bool] = (False, False)
) -> tuple[int, int]:
    """Return where tokens begin and end with the operators that touch them.

    :param first: their half-open range. :param across: whether the operator on the left and the one on the right belong
        to them though blanks stand between.
    """
    spaces = (*line.spaces, " ")
    joined, step = across[0], first
    while first > 0 and line.texts[first - 1] in OPERATOR and (not spaces[first] or (joined and first == step)):
        first -= 1
    joined, step = across[1], last
    while last < len(line.texts) and line.texts[last] in OPERATOR and (not spaces[last] or (joined and last == step)):
        last += 1
    return first, last


def standing(line: TokenLine, at: int) -> str:
    """Return what an operator stands in, by what comes before its left side: a statement, a declaration, or a part.

    What stands in parentheses, such as the head of a loop, is a part.

    :param at: number of the operator's first token.
    """
    texts = line.texts
    if texts[:at].count("(") > texts[:at].count(")"):
        return _PART
    first = _left_side(texts, at)
    before = texts[first - 1] if first > 0 else ""
    if before in _BEFORE_STATEMENT:
        return _STATEMENT
    return _DECLARATION if is_name(before) or before in _BEFORE_NAME else _PART


def _left_side(texts: tuple[str, ...], at: int) -> int:
    """Return where the name, with its members and indexes, or the group begins that stands before a token."""
    at -= 1
    while at > 0:
        if texts[at] in _OPENERS:
            at = _partner(texts, at)
            if at > 0 and texts[at] != "{" and (is_name(texts[at - 1]) or texts[at - 1] in ")]"):
                at -= 1
                continue
        if at > 1 and texts[at - 1] == ".":
            at -= 2
        elif at > 2 and texts[at - 2 : at] in (("-", ">"), (":", ":")):
            at -= 3
        elif at > 0 and texts[at - 1] in ("$", "@"):
            at -= 1
        else:
            break
    return max(at, 0)


def _partner(texts: Sequence[str], at: int) -> int:
    """Return where the group begins that a closing bracket ends; 0 where it begins on a line above."""
    depth = 0
    for place in range(at, -1, -1):
        depth += (texts[place] in _OPENERS) - (texts[place] in _OPENERS.values())
        if depth == 0:
            return place
    return 0
