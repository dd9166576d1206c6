"""Finds the blocks that are open where the reading of a long document begins, by its indentation alone.

Reading 10,000 lines takes 50 ms; to look for the lines that are indented less takes 2 ms, and that is done once in a
hundred lines. What is not indented (the contents of a C++ namespace) is not found.
"""

import re
from collections.abc import Iterator
from typing import Final

from lsp_server.fitting.language_rules import LanguageRules
from lsp_server.fitting.marks import START, LineReader, Open, State

CHARACTERS: Final = 400_000
"""Characters above the lines that are read in which their blocks are looked for, ``PART`` at a time."""

PART: Final = 20_000

_LINE = re.compile(r"^([ \t]*)([^\s].*)$", re.MULTILINE)
_ASIDE = re.compile(r"//|/?\*|--|#(?!\[)|`")
"""A line whose indentation says nothing: a comment or a directive."""
_NO_HEAD = re.compile(rf"{_ASIDE.pattern}|@")


def outer_state(text: str, lines: list[str], rules: LanguageRules) -> State:
    """Return what is open between a text and the lines that follow it.

    :param text: what stands above the lines that are read. :param lines: these lines.
    """
    depth = next((_indent(line) for line in lines if line.strip() and not _ASIDE.match(line.lstrip())), 0)
    heads: list[tuple[str, bool]] = []
    bracket, ended = "", False
    reader = LineReader(rules, [])
    for blanks, body in _lines_up(text) if depth else ():
        indent = len(blanks.expandtabs(4))
        if indent >= depth or _NO_HEAD.match(body):
            continue
        if body.rstrip() == "{":  # its statement stands on the line before
            bracket, depth = " {", indent + 1
            continue
        body, bracket = body.rstrip() + bracket, ""
        opened = reader.read(blanks + body, START).code
        opened = _without_lists(opened) if ended else opened
        if opened is not None:
            heads.append((blanks + body, ended))
        elif body[0] not in ")]" and body[-1] != ":":
            break
        # The list that a line below ends was begun on this line or further up.
        ended = body[0] in ")]"
        depth = indent if opened is not None else indent + 1
        if depth == 0:
            break
    state = START
    for head, closed in reversed(heads):
        state = reader.read(head, state)
        state = State(code=_without_lists(state.code)) if closed else state
    return State(code=state.code)


def _without_lists(code: Open | None) -> Open | None:
    while code is not None and code.mark in "([":
        code = code.below
    return code


def _lines_up(text: str) -> Iterator[tuple[str, str]]:
    """Yield the blanks and the rest of each line of a text, the last line first."""
    end, least = len(text), max(0, len(text) - CHARACTERS)
    while end > least:
        start = max(0, text.rfind("\n", 0, max(least, end - PART)) + 1)
        yield from reversed(_LINE.findall(text, start, end))
        end = start


def _indent(line: str) -> int:
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(4))
