"""Counts syntax errors around a cursor, as tree-sitter finds them, with and without a text.

Only the lines near the cursor are parsed, below the heads of the blocks that they stand in; a window that takes longer
than the budget is made smaller the next time. Its tree is kept while one types in a line, so that a text costs an
incremental parse: about 0.2 ms (0.6 ms in C++ and SystemVerilog), after 1 to 3 ms for the tree.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from indexer.languages.grammars import parser
from lsp_server.fitting.completions import WAYS, ways
from lsp_server.fitting.endings import may_go_on, unread
from lsp_server.fitting.families import C_FAMILY, HARDWARE
from lsp_server.fitting.frame import may_be_arrow
from lsp_server.fitting.macros import with_plain_arguments
from lsp_server.fitting.marks import State
from lsp_server.fitting.surroundings import Surroundings
from lsp_server.fitting.syntax_window import Window, errors_of, errors_with, parsed, source_of

if TYPE_CHECKING:
    from tree_sitter import Parser

BUDGET_SECONDS: Final = 0.002
"""Time that the first parse of a window may take; the check is left out where it took longer."""

LINES: Final = 50
"""Lines on either side of the cursor that are parsed, at most; ``SHORTEST`` at least."""

SHORTEST: Final = 25

BROKEN: Final = (25, 8)
"""Lines above the cursor that are parsed alone where the code around it does not parse, the first number that parses;
what is open there is closed. Often it is a line below that is about to be replaced."""

UNRELIABLE: Final = frozenset({"markdown", "sql", "make", "haskell", "elixir", "groovy", "text"})
"""Languages whose grammar rejects much sound code, as dialects or templates: 13 to 50 % of the lines of 35 public
repositories stand in an error, but 3 % in C and HTML. Any text is Markdown."""

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


class SyntaxCheck:
    """Checks texts by their syntax; keeps the tree of the last window in each language. For one thread."""

    def __init__(self) -> None:
        self._parsers: dict[str, Parser | None] = {}
        self._windows: dict[tuple[str, bool], Window] = {}
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
            return Verdict(bool(errors_of(found.parse(source_of(lines)))))
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
        window: Window,
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
        errors = errors_with(window, found, lines, state)
        if errors <= window.errors:
            return False, ""
        if len(lines) == 1 and not alone:
            going_on = ways(language, lines[0], state) if may_go_on(lines[0], window.around) else ()
            if any(errors_with(window, found, lines, state, way) <= window.errors for way in going_on):
                return False, "unfinished"
        if language in C_FAMILY:
            plain = [with_plain_arguments(line) for line in lines]
            if plain != [*lines] and errors_with(window, found, plain, state) <= window.errors:
                return False, ""
        # A line that is wrong as it is typed (a text without its end, another dialect) is not the text's fault.
        limit = errors_with(window, found, [typed[0]], typed[1])
        if not alone and limit > window.errors and not (language in C_FAMILY and _MACRO_CALL.match(typed[0])):
            going_on = ways(language, typed[0], typed[1], same_line=True)
            limit = min((limit, *(errors_with(window, found, [typed[0]], typed[1], way) for way in going_on)))
        return errors > limit, ""

    def _parser(self, language: str) -> "Parser | None":
        if language not in self._parsers:
            self._parsers[language] = parser(language)
        return self._parsers[language]

    def _window(self, around: Surroundings, found: "Parser", broken: bool) -> Window:
        """Return the window around a cursor's line.

        :param broken: whether the lines below do not belong to those above, as long as the user goes on to write.
        """
        key = (around.language, broken)
        kept = self._windows.get(key)
        if kept is not None and kept.around is around:
            return kept
        size = self._lines.get(around.language, LINES)
        window = parsed(around, found, size, 0 if broken else size)
        if window.seconds > BUDGET_SECONDS:
            self._lines[around.language] = max(SHORTEST, size // 2)
            window.skipped = "too slow"
        elif window.skipped and window.seconds < BUDGET_SECONDS / 2 and not _has_macro(around):
            others = (parsed(around, found, lines, 0) for lines in BROKEN)
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
