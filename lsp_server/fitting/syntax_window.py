"""Parses the lines around a cursor, and counts the syntax errors in them with a text in the place of the cursor's line.

The lines are parsed below the heads of the blocks that they stand in, and before the ends of these blocks.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indexer.text.lines import indent_of, leading_blanks
from lsp_server.fitting.behind import with_comma
from lsp_server.fitting.completions import Way
from lsp_server.fitting.families import PYTHONS
from lsp_server.fitting.frame import closer, ends, fillers, heads, in_php
from lsp_server.fitting.macros import without_macros
from lsp_server.fitting.marks import START, Open, State, keeps, opened, without_own
from lsp_server.fitting.surroundings import Surroundings

if TYPE_CHECKING:
    from tree_sitter import Parser, Tree

CHARACTERS: Final = 16_000
"""Characters on either side, at most."""

ERRORS: Final = 4
"""Errors without the text from which a count says nothing: the code is of a dialect that the grammar does not know."""

NEAR: Final = 2
"""Lines between an error and the cursor within which the count says nothing: the parser may join errors."""

_NOWHERE: Final = (-NEAR - 1, -NEAR - 1)
"""The rows of an error that no node shows: a line end of Python that is missing between two statements."""


@dataclass(slots=True)
class Window:
    """The parsed lines around a cursor, without the cursor's own line.

    :param source: their bytes. :param at: where the cursor's line belongs. :param row: the number of that line.
    :param below: the lines below it. :param outer: what is open before these lines.
    :param ends: where that begins which closes what is open behind these lines; None
        where the lines close it themselves.
    :param known: lines, with what follows them -> the rows of their errors. The next key mostly leads to the same line.
    """

    around: Surroundings
    source: bytes
    at: int
    row: int
    below: list[str]
    outer: State
    ends: int | None = None
    tree: "Tree | None" = None
    errors: int = 0
    seconds: float = 0.0
    skipped: str = ""
    known: dict[tuple[str, ...], list[tuple[int, int]]] = field(default_factory=dict)


def errors_with(window: Window, found: "Parser", lines: Sequence[str], state: State, way: Way = ("", "")) -> int:
    """Return the number of errors with lines in the place of the cursor's line.

    :param way: what follows them, see :mod:`completions`.
    """
    return len(_rows_with(window, found, lines, state, way))


def _rows_with(
    window: Window, found: "Parser", lines: Sequence[str], state: State, way: Way = ("", "")
) -> list[tuple[int, int]]:
    """Return where the errors of a window begin and end with lines in the place of the cursor's line."""
    around = window.around
    closing = _closing(lines[-1], around.state.code, state.code, around.language, window.below)
    # What follows a comment stands on the next line, as deep as this one: less deep, Python's block would end.
    below = "\n" + leading_blanks(lines[-1]) if around.reader.ends_in_comment(lines[-1]) else ""
    added = [*lines[:-1], lines[-1] + below + way[0] + closing + way[1]]
    if closing and around.language == "json":
        added = with_comma(added, around.below, strict=False)
    closes = window.ends is not None and not keeps(state, around.state, lists=True)
    key = tuple(added)
    if not closes and key in window.known:
        return window.known[key]
    assert window.tree is not None
    added = without_macros(around.language, "\n".join(added).split("\n"))
    text, at, row = ("\n".join(added) + "\n").encode("utf-8", "replace"), window.at, window.row
    source, tree = window.source, window.tree.copy()
    if closes and window.ends is not None:
        # Nothing closes at the window's end what the lines have closed.
        source = source[: window.ends] + _ends(window, without_own(state))
        first = row + source.count(b"\n", at, window.ends)
        was, last = (first + text.count(b"\n", window.ends) for text in (window.source, source))
        tree.edit(window.ends, len(window.source), len(source), (first, 0), (was, 0), (last, 0))
    tree.edit(at, at, at + len(text), (row, 0), (row, 0), (row + text.count(b"\n"), 0))
    rows = errors_of(found.parse(source[:at] + text + source[at:], tree))
    if not closes:
        window.known[key] = rows
    return rows


def parsed(around: Surroundings, found: "Parser", up: int, down: int) -> Window:
    """Return a window with its tree; it is skipped where the code near the cursor does not parse."""
    outer, head, above, below = _lines(around, up, down)
    before = source_of([*head, *without_macros(around.language, above)])
    after = source_of(without_macros(around.language, below))
    window = Window(around, before + after, len(before), len(head) + len(above), below, outer)
    # In a new file nothing closes what is open.
    if closing := _ends(window, around.state):
        window.ends = len(window.source)
        window.source += closing
    started = time.thread_time()  # of this thread, so that other load does not count
    window.tree = found.parse(window.source)
    window.seconds = time.thread_time() - started
    rows = errors_of(window.tree)
    window.errors = len(rows)
    if window.errors >= ERRORS or _near(rows, window.row):
        window.skipped = "does not parse"
        _fill(window, found)
    return window


def _near(rows: Sequence[tuple[int, int]], row: int) -> bool:
    return any(first - NEAR <= row <= last + NEAR for first, last in rows)


def _fill(window: Window, found: "Parser") -> None:
    """Count the errors of a window with a line in the cursor's place, if the lines around ask for one."""
    for line in fillers(window.around) if window.errors <= ERRORS else ():
        rows = _rows_with(window, found, [line], window.around.state)
        if len(rows) < min(window.errors, ERRORS) and not _near(rows, window.row):
            window.errors, window.skipped = len(rows), ""
            return


def _lines(around: Surroundings, up: int, down: int) -> tuple[State, list[str], list[str], list[str]]:
    """Return what is open before a window, the heads of that, and its lines above and below the cursor."""
    # Below the line that ends the outermost block no line matters.
    above, below = _limited(around.above[::-1], up)[::-1], _limited(around.below[: len(around.in_code)], down)
    first = len(around.above) - len(above)
    # A window begins with the document, or at the beginning of a paragraph of code. It ends in code.
    states = [None, *around.states][first:]
    begins = [n for n in range(len(above)) if _in_code(states[n])]
    start = 0
    if first or not around.from_start:
        start = next((n for n in begins if n and n <= len(above) // 2 and not above[n - 1].strip()), (begins or [0])[0])
    while below and len(below) < len(around.in_code) and not around.in_code[len(below)]:
        below.pop()
    outer = around.states[first + start - 1] if first + start > 0 else START
    over = around.above[: first + start]
    head = heads(outer.code, over, around.reader, around.language)
    if around.language == "php" and (over or not around.from_start) and in_php(over):
        head.insert(0, "<?php")
    return outer, head, above[start:], below


def _in_code(state: State | None) -> bool:
    return state is None or (state.span < 0 and not state.heredoc)


def source_of(lines: Sequence[str]) -> bytes:
    """Return lines as the parser reads them."""
    return "".join(line + "\n" for line in lines).encode("utf-8", "replace")


def _ends(window: Window, state: State) -> bytes:
    """Return what closes everything that is open behind the lines below.

    :param state: what is open before them.
    """
    around = window.around
    for line in window.below:
        state = around.reader.read(line, state)
    return ends(state, window.outer, around.language).encode()


def _limited(lines: Sequence[str], size: int) -> list[str]:
    """Return the first lines, as many as a window may have."""
    kept, characters = [], 0
    for line in lines[:size]:
        characters += len(line) + 1
        if characters > CHARACTERS:
            break
        kept.append(line)
    return kept


def _closing(line: str, before: Open | None, after: Open | None, language: str, below: Sequence[str]) -> str:
    """Return what closes everything that a line has left open, and a body where it has none.

    :param below: the lines that follow.
    """
    known = {id(node) for node in opened(before)}
    text = ""
    for node in opened(after):
        if id(node) in known:
            break
        text += closer(node, language) if node.mark in "([" else "\n" + closer(node, language)
    if language in PYTHONS and line.rstrip().endswith(":") and not text:
        following = next((other for other in below if other.strip()), "")
        text = " pass" if indent_of(following) <= indent_of(line) else ""
    return text


def errors_of(tree: "Tree | None") -> list[tuple[int, int]]:
    """Return the first and last row of each error of a tree, without those within another one."""
    rows = []
    nodes = [tree.root_node] if tree is not None else []
    while nodes:
        node = nodes.pop()
        if node.is_error or node.is_missing:
            rows.append((node.start_point[0], node.end_point[0]))
        elif node.has_error:
            inner = [child for child in node.children if child.has_error]
            nodes.extend(inner)
            rows += [] if inner else [_NOWHERE]
    return rows
