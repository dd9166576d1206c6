"""Counts syntax errors around a cursor, as tree-sitter finds them, with and without a text.

Only the lines near the cursor are parsed, below the heads of the blocks that they stand in; a window that takes longer
than the budget is made smaller the next time. Its tree is kept while one types in a line, so that a text costs an
incremental parse: about 0.2 ms (0.6 ms in C++ and SystemVerilog), after 1 to 3 ms for the tree.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from indexer.languages.grammars import parser
from lsp_server.fitting.behind import with_comma
from lsp_server.fitting.marks import Open, State
from lsp_server.fitting.surroundings import Surroundings

if TYPE_CHECKING:
    from tree_sitter import Parser, Tree

BUDGET_SECONDS: Final = 0.003
"""Time that the first parse of a window may take; the check is left out where it took longer."""

LINES: Final = 100
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

UNRELIABLE: Final = frozenset({"markdown", "sql", "make", "haskell", "elixir", "text"})
"""Languages whose grammar rejects much sound code, as dialects or templates: 13 to 50 % of the lines of 35 public
repositories stand in an error, but 3 % in C and HTML. Any text is Markdown."""

_NOT_ALONE = re.compile(r"^\s*(?:\}\s*)?(?:[#`]|(?:try|do|repeat|@.*)\b|(?:else\s+)?(?:if|for|while|else)\b[^{:]*\)?$)")
_MACRO = re.compile(r"^(?!\s*`(?:if|els|end|inc|def|und|tim))[^\n]*`[A-Za-z_]\w*(?!\w*\()", re.MULTILINE)
_GOES_WITH = re.compile(r"[})\]]|end\b|else\b|elsif\b|elif\b")
_GOES_ON = re.compile(r"(?:[\\(\[.&|=+*/?<-]|\b(?:and|or|not|in|is|then|do|else))\s*$")


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
    :param open_end: whether behind the cursor nothing stands but what closes the blocks around it.
    """

    around: Surroundings
    source: bytes
    at: int
    row: int
    open_end: bool = False
    tree: "Tree | None" = None
    errors: int = 0
    seconds: float = 0.0
    skipped: str = ""


class SyntaxCheck:
    """Checks texts by their syntax; keeps the tree of the last window in each language. For one thread."""

    def __init__(self) -> None:
        self._parsers: dict[str, Parser | None] = {}
        self._windows: dict[str, _Window] = {}
        self._lines: dict[str, int] = {}

    def check(
        self,
        around: Surroundings,
        lines: Sequence[str],
        state: State,
        typed: tuple[str, State],
        alone: bool = False,
    ) -> Verdict:
        """Say whether the document gets another syntax error by the lines in the place of the cursor's line.

        :param state: what is open behind the lines. What they leave open is closed for the check.
        :param typed: the cursor's line as it is typed, and what is open behind it.
        :param alone: whether a line must stand without the next one too: one that ends in an operator does not.
        """
        language = around.language
        if language in UNRELIABLE or (found := self._parser(language)) is None:
            return Verdict(False, "no grammar")
        if around.state.span >= 0 or state.span >= 0 or around.state.heredoc or state.heredoc:
            return Verdict(False, "in a string or comment")
        if len(lines) == 1 and not alone and _unfinished(lines[0], state):
            return Verdict(False, "unfinished")
        window = self._window(around, found)
        if window.skipped or window.tree is None:
            return Verdict(False, window.skipped)
        errors = self._errors_with(window, found, lines, state)
        if errors <= window.errors:
            return Verdict(False)
        # A line that is wrong as it is typed (a text without its end, another dialect) is not the text's fault.
        return Verdict(errors > self._errors_with(window, found, [typed[0]], typed[1]))

    def _errors_with(self, window: _Window, found: "Parser", lines: Sequence[str], state: State) -> int:
        """Return the number of errors with lines in the place of the cursor's line."""
        known = None if window.open_end else window.around.state.code
        closing = _closing(lines[-1], known, state.code, window.around.language)
        added = [*lines[:-1], lines[-1] + closing]
        if closing and window.around.language == "json":
            added = with_comma(added, window.around.below, strict=False)
        return _errors_of(window, found, "\n".join(added) + "\n")

    def _parser(self, language: str) -> "Parser | None":
        if language not in self._parsers:
            self._parsers[language] = parser(language)
        return self._parsers[language]

    def _window(self, around: Surroundings, found: "Parser") -> _Window:
        kept = self._windows.get(around.language)
        if kept is not None and kept.around is around:
            return kept
        size = self._lines.get(around.language, LINES)
        window = _parsed(around, found, size, size)
        if window.seconds > BUDGET_SECONDS:
            self._lines[around.language] = max(SHORTEST, size // 2)
            window.skipped = "too slow"
        elif (
            window.skipped and window.seconds < BUDGET_SECONDS / 2 and not _MACRO.search("\n".join(around.above[-25:]))
        ):
            others = (_parsed(around, found, lines, 0) for lines in BROKEN)
            window = next((one for one in others if not one.errors), window)
        self._windows[around.language] = window
        return window


def _errors_of(window: _Window, found: "Parser", text: str) -> int:
    """Return the number of errors with a text in the place of the cursor's line."""
    assert window.tree is not None
    added, at, row = text.encode("utf-8", "replace"), window.at, window.row
    source = window.source[:at] + added + (b"" if window.open_end else window.source[at:])
    tree = window.tree.copy()
    old = len(window.source) if window.open_end else at
    old_row = row + window.source.count(b"\n", at, old)
    tree.edit(at, old, at + len(added), (row, 0), (old_row, 0), (row + added.count(b"\n"), 0))
    return len(_errors(found.parse(source, tree)))


def _parsed(around: Surroundings, found: "Parser", up: int, down: int) -> _Window:
    """Return a window with its tree; it is skipped where the code near the cursor does not parse."""
    head, above, below = _lines(around, up, down)
    before = "".join(line + "\n" for line in (*head, *above)).encode("utf-8", "replace")
    after = ("\n".join(below) + "\n").encode("utf-8", "replace")
    window = _Window(around, before + after, len(before), len(head) + len(above), open_end=not down)
    started = time.thread_time()  # of this thread, so that other load does not count
    window.tree = found.parse(window.source)
    window.seconds = time.thread_time() - started
    rows = _errors(window.tree)
    window.errors = len(rows)
    if window.errors >= ERRORS or any(a - NEAR <= window.row <= b + NEAR for a, b in rows):
        window.skipped = "does not parse"
    return window


def _lines(around: Surroundings, up: int, down: int) -> tuple[list[str], list[str], list[str]]:
    """Return the heads of the blocks around a window, its lines above and below the cursor, with what closes them."""
    above, below = _limited(around.above[::-1], up)[::-1], _limited(around.below, down)
    first = len(around.above) - len(above)
    # A window begins at the beginning of a paragraph, where there is one.
    start = next((n + 1 for n, line in enumerate(above[: len(above) // 2]) if not line.strip()), 0)
    outer = around.states[first + start - 1].code if first + start > 0 else None
    heads: list[str] = []
    for node in _opened(outer):
        # A line that goes on with a block (} else {) does not begin one by itself; one line may open several.
        head = " " * node.indent + (node.mark if _GOES_WITH.match(node.head) else node.head)
        if head != (heads or [""])[-1]:
            heads.append(head)
    state = around.state
    for line in below:
        state = around.reader.read(line, state)
    ends = (
        [_closer(node) for node in _opened(state.code)] if len(below) < len(around.below) or not around.complete else []
    )
    return heads[::-1], above[start:], [*below, *ends]


def _unfinished(line: str, state: State) -> bool:
    """Return whether a line says nothing without the next one."""
    if line.rstrip().endswith(","):
        # Within brackets that were opened before it a comma ends an item.
        return state.code is None or state.code.mark not in "([{" or state.code.own
    return _NOT_ALONE.match(line) is not None or _GOES_ON.search(line) is not None


def _limited(lines: Sequence[str], size: int) -> list[str]:
    """Return the first lines, as many as a window may have."""
    kept, characters = [], 0
    for line in lines[:size]:
        characters += len(line) + 1
        if characters > CHARACTERS:
            break
        kept.append(line)
    return kept


def _opened(node: Open | None) -> list[Open]:
    found = []
    while node is not None:
        found.append(node)
        node = node.below
    return found


def _closer(node: Open) -> str:
    return node.closers[0] + (">" if node.closers[0].startswith("</") else "")


def _closing(line: str, before: Open | None, after: Open | None, language: str) -> str:
    """Return what closes everything that a line has left open, and a body where it has none."""
    known = {id(node) for node in _opened(before)}
    text = ""
    for node in _opened(after):
        if id(node) in known:
            break
        text += _closer(node) if node.mark in "([" else "\n" + _closer(node)
    if language in ("python", "starlark") and line.rstrip().endswith(":") and not text:
        text = " pass"
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
            nodes.extend(node.children)
    return rows
