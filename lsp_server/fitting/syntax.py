"""Counts syntax errors around a cursor, as tree-sitter finds them, with and without a text.

Only the lines near the cursor are parsed, below the heads of the blocks that they stand in; a window that takes longer
than the budget is made smaller the next time. Its tree is kept while one types in a line, so that a text costs an
incremental parse: about 0.2 ms (0.6 ms in C++ and SystemVerilog), after 1 to 3 ms for the tree.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from indexer.languages.grammars import parser
from indexer.text.lines import leading_blanks
from lsp_server.fitting.behind import with_comma
from lsp_server.fitting.completions import WAYS, Way, ways
from lsp_server.fitting.endings import may_go_on, unread
from lsp_server.fitting.families import C_FAMILY, HARDWARE, PYTHONS
from lsp_server.fitting.frame import closer, ends, fillers, heads, in_php, may_be_arrow
from lsp_server.fitting.macros import with_plain_arguments, without_macros
from lsp_server.fitting.marks import START, Open, State, keeps, opened, without_own
from lsp_server.fitting.surroundings import Surroundings, indent_of

if TYPE_CHECKING:
    from tree_sitter import Parser, Tree

BUDGET_SECONDS: Final = 0.002
"""Time that the first parse of a window may take; the check is left out where it took longer."""

LINES: Final = 50
"""Lines on either side of the cursor that are parsed, at most; ``SHORTEST`` at least."""

SHORTEST: Final = 25

CHARACTERS: Final = 16_000
"""Characters on either side, at most."""

ERRORS: Final = 4
"""Errors without the text from which a count says nothing: the code is of a dialect that the grammar does not know."""

NEAR: Final = 2
"""Lines between an error and the cursor within which the count says nothing: the parser may join errors."""

BROKEN: Final = (25, 8)
"""Lines above the cursor that are parsed alone where the code around it does not parse, the first number that parses;
what is open there is closed. Often it is a line below that is about to be replaced."""

UNRELIABLE: Final = frozenset({"markdown", "sql", "make", "haskell", "elixir", "groovy", "text"})
"""Languages whose grammar rejects much sound code, as dialects or templates: 13 to 50 % of the lines of 35 public
repositories stand in an error, but 3 % in C and HTML. Any text is Markdown."""

_NOWHERE: Final = (-NEAR - 1, -NEAR - 1)
"""The rows of an error that no node shows: a line end of Python that is missing between two statements."""

_WHOLE_DIRECTIVE = re.compile(r"\s*#\s*(?:include|import|undef|pragma|error|warning|line)\b")
"""A directive of C that stands for itself, so that it can be parsed alone."""

_MACRO_CALL = re.compile(r"\s*[A-Z][A-Z0-9_]+\s*\(")
"""A macro takes types as well, which no function call does."""

_MACRO = re.compile(r"^(?!\s*`(?:if|els|end|inc|def|und|tim))[^\n]*`[A-Za-z_]\w*(?!\w*\()", re.MULTILINE)
_BLOCK_MACRO = re.compile(r"\s*[A-Z][A-Z\d_]{3,}\s*\(.*\)\s*\{?\s*$")
"""A macro that begins a block, as frameworks for tests have it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    :param adds: whether the text adds a syntax error. :param skipped: why it was not judged; "" if it was.
    """

    adds: bool
    skipped: str = ""


@dataclass(slots=True)
class _Window:
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


class SyntaxCheck:
    """Checks texts by their syntax; keeps the tree of the last window in each language. For one thread."""

    def __init__(self) -> None:
        self._parsers: dict[str, Parser | None] = {}
        self._windows: dict[tuple[str, bool], _Window] = {}
        self._lines: dict[str, int] = {}

    def check(
        self,
        around: Surroundings,
        lines: Sequence[str],
        state: State,
        typed: tuple[str, State],
        alone: bool = False,
        replaces: bool = False,
    ) -> Verdict:
        """Say whether the document gets another syntax error by the lines in the place of the cursor's line.

        :param state: what is open behind the lines. What they leave open is closed for the check.
        :param typed: the cursor's line as it is typed, and what is open behind it.
        :param alone: whether a line must stand without the next one too: one that ends in an operator does not.
        :param replaces: whether the lines end a block and begin one, which the lines below close in its place.
        """
        language = around.language
        goes_on = replace(state, code=around.state.code) if replaces else state
        if language in UNRELIABLE or (found := self._parser(language)) is None:
            return Verdict(False, "no grammar")
        if around.state.span >= 0 or state.span >= 0 or around.state.heredoc or state.heredoc:
            return Verdict(False, "in a string or comment")
        if len(lines) == 1 and language in C_FAMILY and _WHOLE_DIRECTIVE.match(lines[0]):
            return Verdict(bool(_errors(found.parse(_source(lines)))))
        if len(lines) == 1 and not alone and unread(lines[0], goes_on, around):
            return Verdict(False, "unfinished")
        if language in C_FAMILY and (_BLOCK_MACRO.match(lines[0]) or _in_macro(around)):
            return Verdict(False, "macro")
        broken = not alone and (around.cost_without > 0 or around.left_open) and not _has_macro(around)
        if broken and (may_be_arrow(around) or language not in WAYS):
            return Verdict(False, "unfinished")
        window = self._window(around, found, broken)
        adds, skipped = self._adds(window, found, lines, goes_on if window.below else state, typed, alone)
        if adds and not alone and not broken and around.rewritten(typed[0]):
            adds, skipped = self._adds(self._window(around, found, True), found, lines, state, typed, alone)
        return Verdict(adds, skipped)

    def _adds(
        self,
        window: _Window,
        found: "Parser",
        lines: Sequence[str],
        state: State,
        typed: tuple[str, State],
        alone: bool,
    ) -> tuple[bool, str]:
        """Return whether the lines add an error to a window, and why that was not judged."""
        if window.skipped or window.tree is None:
            return False, window.skipped
        language = window.around.language
        errors = _errors_with(window, found, lines, state)
        if errors <= window.errors:
            return False, ""
        if len(lines) == 1 and not alone:
            going_on = ways(language, lines[0], state) if may_go_on(lines[0], window.around) else ()
            if any(_errors_with(window, found, lines, state, way) <= window.errors for way in going_on):
                return False, "unfinished"
        if language in C_FAMILY:
            plain = [with_plain_arguments(line) for line in lines]
            if plain != [*lines] and _errors_with(window, found, plain, state) <= window.errors:
                return False, ""
        # A line that is wrong as it is typed (a text without its end, another dialect) is not the text's fault.
        limit = _errors_with(window, found, [typed[0]], typed[1])
        if not alone and limit > window.errors and not (language in C_FAMILY and _MACRO_CALL.match(typed[0])):
            going_on = ways(language, typed[0], typed[1], same_line=True)
            limit = min((limit, *(_errors_with(window, found, [typed[0]], typed[1], way) for way in going_on)))
        return errors > limit, ""

    def _parser(self, language: str) -> "Parser | None":
        if language not in self._parsers:
            self._parsers[language] = parser(language)
        return self._parsers[language]

    def _window(self, around: Surroundings, found: "Parser", broken: bool) -> _Window:
        """Return the window around a cursor's line.

        :param broken: whether the lines below do not belong to those above, as long as the user goes on to write.
        """
        key = (around.language, broken)
        kept = self._windows.get(key)
        if kept is not None and kept.around is around:
            return kept
        size = self._lines.get(around.language, LINES)
        window = _parsed(around, found, size, 0 if broken else size)
        if window.seconds > BUDGET_SECONDS:
            self._lines[around.language] = max(SHORTEST, size // 2)
            window.skipped = "too slow"
        elif window.skipped and window.seconds < BUDGET_SECONDS / 2 and not _has_macro(around):
            others = (_parsed(around, found, lines, 0) for lines in BROKEN)
            window = next((one for one in others if not one.errors), window)
        self._windows[key] = window
        return window


def _has_macro(around: Surroundings) -> bool:
    """Return whether a macro stands alone near the cursor, which may open and close what nobody sees."""
    return around.language in HARDWARE and _MACRO.search("\n".join(around.above[-25:])) is not None


def _in_macro(around: Surroundings) -> bool:
    """Return whether the cursor stands in the arguments of a macro of several lines, which may begin a block."""
    block = around.state.code
    return block is not None and block.mark == "(" and _MACRO_CALL.match(block.head) is not None


def _errors_with(window: _Window, found: "Parser", lines: Sequence[str], state: State, way: Way = ("", "")) -> int:
    """Return the number of errors with lines in the place of the cursor's line.

    :param way: what follows them, see :mod:`completions`.
    """
    return len(_rows_with(window, found, lines, state, way))


def _rows_with(
    window: _Window, found: "Parser", lines: Sequence[str], state: State, way: Way = ("", "")
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
    rows = _errors(found.parse(source[:at] + text + source[at:], tree))
    if not closes:
        window.known[key] = rows
    return rows


def _parsed(around: Surroundings, found: "Parser", up: int, down: int) -> _Window:
    """Return a window with its tree; it is skipped where the code near the cursor does not parse."""
    outer, head, above, below = _lines(around, up, down)
    before = _source([*head, *without_macros(around.language, above)])
    after = _source(without_macros(around.language, below))
    window = _Window(around, before + after, len(before), len(head) + len(above), below, outer)
    # In a new file nothing closes what is open.
    if closing := _ends(window, around.state):
        window.ends = len(window.source)
        window.source += closing
    started = time.thread_time()  # of this thread, so that other load does not count
    window.tree = found.parse(window.source)
    window.seconds = time.thread_time() - started
    rows = _errors(window.tree)
    window.errors = len(rows)
    if window.errors >= ERRORS or _near(rows, window.row):
        window.skipped = "does not parse"
        _fill(window, found)
    return window


def _near(rows: Sequence[tuple[int, int]], row: int) -> bool:
    return any(first - NEAR <= row <= last + NEAR for first, last in rows)


def _fill(window: _Window, found: "Parser") -> None:
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


def _source(lines: Sequence[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode("utf-8", "replace")


def _ends(window: _Window, state: State) -> bytes:
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


def _errors(tree: "Tree | None") -> list[tuple[int, int]]:
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
