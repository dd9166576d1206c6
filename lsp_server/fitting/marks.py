"""Reads text line by line for what it opens and closes: brackets, block words, tags, strings and comments.

A :class:`State` says what is open between two lines. It is immutable and shares what it holds with the states before
it, so one can be kept for every line of a document. Text that does not nest is no error: what closes nothing is only
counted.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from lsp_server.fitting.language_rules import LanguageRules
from lsp_server.fitting.language_table import DEFAULT, RULES
from lsp_server.fitting.line_marks import Lexed, Mark, lexed, lexed_within

LONGEST: Final = 2_000
"""Characters of the longest line that is read; longer ones (minified code) count as a line without marks."""

_LAST_WORD = re.compile(r"[A-Za-z]\w*$")

SKIPPED: Final = 3
"""Open marks that a closing mark may pass over to find its own; they then count as not closed."""


class Open(NamedTuple):
    """Something that is open, with what was open before it.

    :param mark: the text that opened it. :param closers: what closes it.
    :param indent: columns of the blanks before the line or statement that it stands in, -1 where that is not known.
    :param column: columns before a block word, under which its end may stand as well (``x = if …`` in Ruby); -1 for
        other marks.
    :param head: that line.
    :param own: whether the text that is being fitted opened it.
    """

    mark: str
    closers: tuple[str, ...]
    indent: int
    column: int
    head: str
    own: bool
    below: "Open | None"

    def ends_at(self, indent: int) -> bool:
        """Return whether what closes this may be the first mark of a line that is indented by ``indent`` columns."""
        return self.indent < 0 or indent in (self.indent, self.column)


class Condition(NamedTuple):
    """An open directive of a preprocessor, with what was open in the code before it.

    :param far: whether it stands above the lines that were read, so that nobody knows what was open there.
    """

    code: Open | None
    own: bool
    below: "Condition | None"
    far: bool = False


class Demand(NamedTuple):
    """A mark that closes something which was opened before the text that was read.

    :param indent: columns of the blanks before it if it is the first of its line, else -1.
    """

    mark: str
    indent: int


@dataclass(frozen=True, slots=True)
class State:
    """What is open between two lines.

    :param code: the innermost open mark. :param conditions: the innermost open directive.
    :param span: number of the string or comment that goes on, -1 in code.
    :param closed: the block that the last line closed at its end, if it did.
    :param faults: marks so far that closed nothing or passed over others, and strings without an end.
    :param outside: whether lines below stand in an alternative of a directive that began above; marks do not count.
    :param heredoc: the line that ends the heredoc which the next line belongs to; "" in other text.
    """

    code: Open | None = None
    conditions: Condition | None = None
    span: int = -1
    closed: Open | None = None
    faults: int = 0
    outside: bool = False
    heredoc: str = ""


START: Final = State()


def rules_of(language: str) -> LanguageRules:
    """Return the rules of a language."""
    return RULES.get(language, DEFAULT)


class LineReader:
    """Reads lines of one language.

    :param demands: a list that receives what closes nothing; None counts it as a fault.
    """

    def __init__(self, rules: LanguageRules, demands: list[Demand] | None = None) -> None:
        self.rules = rules
        self.demands = demands

    def ends_in_comment(self, line: str) -> bool:
        """Return whether a line that begins in code ends in a comment that ends with it."""
        return lexed(self.rules, line).comment

    def read(self, line: str, state: State, own: int | None = None) -> State:
        """Return the state after a line.

        :param line: without its end.
        :param own: column from which on the line belongs to the text that is being fitted.
        """
        if state.heredoc:
            return replace(state, closed=None, heredoc="" if line.strip() == state.heredoc else state.heredoc)
        if len(line) > LONGEST:
            return replace(state, closed=None)
        found = lexed(self.rules, line) if state.span < 0 else lexed_within(self.rules, line, state.span)
        if found.neutral:
            if not found.unended and found.span == state.span and state.closed is None:
                return state
            faults = state.faults + found.unended
            return State(state.code, state.conditions, found.span, None, faults, state.outside)
        return _Line(self, found, state, len(line) if own is None else own).read()


def opened(node: Open | None) -> list[Open]:
    """Return what is open, the innermost first."""
    found = []
    while node is not None:
        found.append(node)
        node = node.below
    return found


def leaves_open(reader: LineReader, state: State, prefix: str, text: str) -> bool:
    """Return whether a text that ends within its line leaves a bracket or a string open that it has opened.

    Block words do not count: the user is still writing the line that they stand in.

    :param state: what is open before the line. :param prefix: the line before the text.
    """
    before, after = reader.read(prefix, state), reader.read(prefix + text, state, own=len(prefix))
    opened = after.code
    while opened is not None:
        if opened.own and not opened.mark[:1].isalpha():
            return True
        opened = opened.below
    string = after.span >= 0 and after.span != before.span
    return string or after.heredoc not in ("", before.heredoc) or after.faults > before.faults


def without_own(state: State) -> State:
    """Return a state without what the fitted text has left open at its end."""
    code, conditions = state.code, state.conditions
    while code is not None and code.own:
        code = code.below
    while conditions is not None and conditions.own:
        conditions = conditions.below
    return replace(state, code=code, conditions=conditions, span=-1)


def keeps(state: State, before: State, *, lists: bool = False) -> bool:
    """Return whether all blocks that were open in a state before are open still.

    :param lists: whether brackets of lists count too; without them only what stands around them.
    """
    kept = set()
    code = state.code
    while code is not None:
        kept.add(id(code))
        code = code.below
    code = before.code
    while not lists and code is not None and id(code) not in kept and code.mark in "([":
        code = code.below
    return code is None or id(code) in kept


def holds_own(state: State, before: State) -> bool:
    """Return whether the fitted text has left something open."""
    code: Open | None = state.code
    return (
        state.heredoc != before.heredoc
        or (code is not None and code.own)
        or (state.conditions is not None and state.conditions.own)
        or state.span != before.span
    )


class _Line:
    """One line while it is read."""

    def __init__(self, reader: LineReader, lexed: Lexed, state: State, own: int) -> None:
        self._rules, self._demands = reader.rules, reader.demands
        self._lexed, self._own = lexed, own
        self._code, self._conditions = state.code, state.conditions
        self._faults, self._outside = state.faults, state.outside
        self._indent, self._head, self._first = lexed.indent, lexed.head, lexed.first
        self._closed: Open | None = None

    def read(self) -> State:
        """Return the state after the line."""
        lexed, heredoc = self._lexed, ""
        for mark in lexed.marks:
            if mark.kind == "string":
                self._closed = None
            elif mark.kind == "heredoc":
                heredoc = heredoc or mark.text
            else:
                self._mark(mark)
        faults = self._faults + lexed.unended
        closed = self._closed if lexed.closes else None
        return State(self._code, self._conditions, lexed.span, closed, faults, self._outside, heredoc)

    def _mark(self, mark: Mark) -> None:
        kind, text, start = mark.kind, mark.text, mark.start
        if self._outside and kind not in ("condition", "alternative", "endcondition"):
            return
        if kind in ("open", "tag", "word", "phrase"):
            # Where it ends: what it began with may be typed already.
            self._open(text, mark.closers, start + len(text) - 1, kind == "phrase")
        elif kind in ("close", "endtag", "endword"):
            self._close(text, start)
        else:
            self._directive(kind, start + max(len(text.rstrip()), 1) - 1)

    def _open(self, mark: str, closers: tuple[str, ...], at: int, phrase: bool = False) -> None:
        hangs = phrase and self._rules.hanging and re.match(self._rules.hanging, self._head)
        indent = -1 if hangs else self._indent
        word = _LAST_WORD.search(mark)
        column = -1 if word is None else self._lexed.indent + at + 1 - len(word[0]) - self._first
        self._code = Open(mark, closers, indent, column, self._head, at >= self._own, self._code)
        self._closed = None

    def _close(self, name: str, at: int) -> None:
        found, skipped = self._code, 0
        while found is not None and name not in found.closers and skipped < SKIPPED:
            found, skipped = found.below, skipped + 1
        if found is None or name not in found.closers:
            if self._demands is not None and self._code is None:
                self._demands.append(Demand(name, self._indent if at == self._first else -1))
            else:
                self._faults += 1
            return
        self._faults += skipped
        if at == self._first and not found.ends_at(self._indent) and at >= self._own and not found.own:
            self._faults += 1  # it closes a block of another depth
        if found.mark in "([" and found.head != self._head:
            # What follows belongs to the statement that began on an earlier line.
            self._indent, self._head = found.indent, found.head
        self._code, self._closed = found.below, found

    def _directive(self, kind: str, at: int) -> None:
        conditions = self._conditions
        if kind == "condition":
            self._conditions = Condition(self._code, at >= self._own, conditions)
        elif conditions is not None and conditions.far:
            # Of what the alternative goes on with nothing is known: it is read as from a beginning.
            self._code = None if kind == "alternative" else self._code
            self._conditions = conditions if kind == "alternative" else conditions.below
        elif conditions is not None:
            self._code = conditions.code if kind == "alternative" else self._code
            self._conditions = conditions if kind == "alternative" else conditions.below
        elif self._demands is not None:
            self._outside = kind == "alternative"
            if kind == "endcondition":
                self._demands.append(Demand("#endif", -1))
        else:
            self._faults += 1


def _closed(code: Open | None, demand: Demand, *, exact: bool) -> tuple[Open | None, int]:
    """Return the innermost block that a mark closes, and how many it passes over.

    :param exact: whether it must be indented like the mark, where both are known.
    """
    skipped = 0
    while code is not None:
        if demand.mark in code.closers and (not exact or demand.indent < 0 or code.ends_at(demand.indent)):
            return code, skipped
        code, skipped = code.below, skipped + 1
    return None, skipped


def disagreement(state: State, demands: list[Demand], complete: bool, from_start: bool = True) -> int:
    """Return how badly the text that follows closes what is open: marks of another kind or depth, and missing ones.

    :param demands: what the text that follows closes. :param complete: whether it goes on to the document's end.
    :param from_start: whether the state holds all that is open; else more may be closed.
    """
    cost, code, conditions = state.faults, state.code, state.conditions
    for demand in demands:
        if demand.mark == "#endif":
            cost, conditions = (cost, conditions.below) if conditions is not None else (cost + 1, None)
            continue
        found, skipped = _closed(code, demand, exact=True)
        if found is None:
            found, skipped = _closed(code, demand, exact=False)
            skipped = min(skipped, SKIPPED) + 1 if found is not None else 0
            # Where more are passed over, that block is not the one: closing one of them makes it better.
            code = code if skipped > SKIPPED or found is None else found.below
            cost += skipped or (from_start or code is not None)
        else:
            cost, code = cost + skipped, found.below
    if complete:
        while code is not None:
            cost, code = cost + 1, code.below
    while conditions is not None and complete:
        cost, conditions = cost + 1, conditions.below
    return cost
