"""Finds the blocks that are open where the reading of a long document begins, by its indentation alone; says what
closes the blocks around the one in which the reading ends.

Reading 10,000 lines takes 50 ms; to look for the lines that are indented less takes 2 ms, and that is done once in a
hundred lines. What is not indented (the contents of a C++ namespace) is not found.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from indexer.text.lines import columns, indent_of
from lsp_server.fitting.language_rules import LanguageRules
from lsp_server.fitting.marks import START, Condition, Demand, LineReader, Open, State, opened

CHARACTERS: Final = 400_000
"""Characters above the lines that are read in which their blocks are looked for, in parts."""

PARTS: Final = (1_000, 20_000)
"""Characters of the first and of the largest part; each is twice as large as the one before. The outermost block often
begins near, and to divide 20,000 characters into lines takes 0.3 ms."""

HEAD_LINES: Final = 8
"""Lines of the longest list that is read as a part of its head."""

LIST_LINES: Final = 150
"""Lines of the longest list behind a head whose end is looked for, in ``LIST_CHARACTERS``: the ports of a module."""

LIST_CHARACTERS: Final = 10_000

_FIRST = re.compile(r"([ \t]*)([^\s].*)")
ASIDE = re.compile(r"//|/?\*|--|#(?!\[)|`")
"""A line whose indentation says nothing: a comment or a directive."""
_NO_HEAD = re.compile(rf"{ASIDE.pattern}|@")


def outer_state(text: str, lines: list[str], rules: LanguageRules) -> State:
    """Return what is open between a text and the lines that follow it.

    :param text: what stands above the lines that are read. :param lines: these lines.
    """
    depth = next((indent_of(line) for line in lines if line.strip() and not ASIDE.match(line.lstrip())), 0)
    reader = LineReader(rules, [])
    state = START
    for head, closed in reversed(_heads(text, depth, reader)):
        state = reader.read(head, state)
        state = State(code=_without_lists(state.code)) if closed else state
    return State(code=state.code)


def outer_ends(state: State, below: Sequence[str], entire: bool) -> list[Demand]:
    """Return what closes the blocks at the left margin around the one that ends there: a namespace around a class.

    :param below: the lines below the first end at the margin. :param entire: whether they are all.
    """
    heads = dict.fromkeys(node.head for node in opened(state.code) if node.indent == 0)
    outer = [node for node in opened(state.code) if node.indent == 0 and node.head in [*heads][1:]]
    ends = [node for node in outer if not entire or any(line.startswith(node.closers) for line in below)]
    return [Demand(node.closers[0], 0) for node in ends]


def far_conditions(number: int) -> Condition | None:
    """Return directives that begin above the lines that are read and are still open there.

    :param number: how many; none where it is zero or less.
    """
    found = None
    for _ in range(number):
        found = Condition(None, False, found, far=True)
    return found


def outer_directives(state: State, demands: list[Demand], closed: int) -> int:
    """Return how many directives around a block at the left margin are closed behind it, as in an include guard.

    :param closed: how many more directives the text behind the block closes than it opens.
    """
    found, condition = -sum(demand.mark == "#endif" for demand in demands), state.conditions
    while condition is not None:
        found, condition = found + 1, condition.below
    return max(0, min(found, closed))


def _heads(text: str, depth: int, reader: LineReader) -> list[tuple[str, bool]]:
    """Return the lines that begin the open blocks, innermost first, and whether a line below ends a list of each.

    :param depth: columns of the blanks before the lines that follow the text.
    """
    heads: list[tuple[str, bool]] = []
    bracket, ended = "", False
    for start, end in _parts(text) if depth else ():
        for blanks, body in reversed(_lines_before(text, start, end, depth)):
            indent = columns(blanks)
            if indent >= depth or _NO_HEAD.match(body):
                continue
            if body.rstrip() == "{":  # its statement stands on the line before
                bracket, depth = " {", indent + 1
                continue
            line = blanks + body
            body, bracket = body.rstrip() + bracket, ""
            opened = reader.read(blanks + body, START).code
            if opened is not None and opened.mark in "([" and (whole := _whole(text, line, end, reader)):
                body, ended = whole if whole != line else body, ended or whole == line
                opened = reader.read(blanks + body, START).code
            opened = _without_lists(opened) if ended else opened
            if opened is not None:
                heads.append((blanks + body, ended))
            elif body[0] not in ")]" and body[-1] != ":":
                return heads
            # The list that a line below ends was begun on this line or further up.
            ended = body[0] in ")]"
            depth = indent if opened is not None else indent + 1
            if depth == 0:
                return heads
    return heads


def _whole(text: str, line: str, end: int, reader: LineReader) -> str:
    """Return a head whose list goes on over lines that are indented deeper, up to the one that ends it.

    Of a long list only the head is returned; "" where the list has no end.

    :param end: offset in the text before which the head stands.
    """
    at = text.rfind("\n" + line, 0, end)
    state, parts = START, list[str]()
    for part in text[at + 1 : at + 1 + LIST_CHARACTERS].split("\n")[:LIST_LINES]:
        state = reader.read(part, state)
        parts.append(part.strip())
        if len(parts) > 1 and state.code is None and part.rstrip()[-1:] == ")":
            continue  # the block's bracket may stand on a line of its own
        if state.code is None or state.code.mark not in "([":
            return "" if len(parts) == 1 else " ".join(parts) if len(parts) <= HEAD_LINES else line
    return ""


def _without_lists(code: Open | None) -> Open | None:
    while code is not None and code.mark in "([":
        code = code.below
    return code


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the parts of a text begin and end, the last part first; each begins with a line."""
    end, least = len(text), max(0, len(text) - CHARACTERS)
    size, largest = PARTS
    while end > least:
        start = max(0, text.rfind("\n", 0, max(least, end - size)) + 1)
        yield start, end
        end, size = start, min(2 * size, largest)


def _lines_before(text: str, start: int, end: int, depth: int) -> list[tuple[str, str]]:
    """Return the blanks and the rest of each line of a part of a text that may be indented by less than a depth."""
    pattern = _less_than(depth)
    if start:
        return pattern.findall(text, start - 1, end)
    first = _FIRST.match(text, 0, end)
    return [*([(first[1], first[2])] if first else ()), *pattern.findall(text, 0, end)]


@lru_cache(64)
def _less_than(depth: int) -> re.Pattern[str]:
    """Return the pattern of a line with fewer blanks than a depth, and the line end before it.

    It begins with a fixed letter, which is found at once: other lines cost a tenth of those that are returned.
    """
    return re.compile(rf"\n([ \t]{{0,{depth - 1}}})([^\s].*)")
