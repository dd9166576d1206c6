"""What stands around a cursor's line: what is open there, and what the lines below close.

Only some hundred lines on either side are read, and what was read is kept while one types: a key costs the reading of
one line, a new line that of one more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from indexer.languages.grammars import language_in
from indexer.text.lines import columns, leading_blanks, lines_of, unify_line_ends
from lsp_server.fitting.indentation import unit_of
from lsp_server.fitting.line_marks import lexed
from lsp_server.fitting.mark_counts import MarkCounts
from lsp_server.fitting.marks import START, Demand, LineReader, State, disagreement, opened, rules_of
from lsp_server.fitting.outer_blocks import ASIDE, far_conditions, outer_directives, outer_ends, outer_state
from lsp_server.fitting.rewriting import gone_lines, is_of, repeats_below
from lsp_server.fitting.spans import begins_within, open_span, opens_again
from lsp_server.types import Document

LINES_ABOVE: Final = 60
"""Lines above the cursor that are read, at least; up to twice as many, so that the first one seldom changes."""

LINES_BELOW: Final = 75
"""Lines below the cursor that are read, at most; reading ends where a block at the left margin is closed."""

REPLACED: Final = 3
"""Blocks that the old lines just below may close, ``REPLACED_LINES`` lines, and that the new lines close as well."""

REPLACED_LINES: Final = 20

ZSH: Final = (".zsh", ".zshrc", ".zsh-theme")
"""Ends of the names of files that are written for zsh."""

_ZSH_LINE = re.compile(r"#!.*\bzsh\b")
"""The first line of a script for zsh, whose name seldom says so."""

HEADER_CHARS: Final = 2_000
"""Characters above the cursor that tell whether a header has become one of C++."""

DOCUMENTS: Final = 16
"""Documents whose surroundings are kept."""

JUMP: Final = 40
"""Lines that the cursor moves at once to come to another place."""

_STATEMENT = re.compile(r"\s*(?![\w.]+\s*:(?!:)|case\b|default\b)[\w@\[<$]")
"""How a line begins that is no closing mark, label, comment or directive."""


_BODY = re.compile(r"\s*begin\b", re.IGNORECASE)
"""What stands between the declarations and the statements of one block, in VHDL."""


@dataclass(frozen=True)
class Surroundings:
    """The lines around a cursor's line.

    :param above, below: the lines that were read, nearest last and nearest first.
    :param states: what is open behind each line of ``above``. :param state: the same at the cursor's line.
    :param demands: what the lines below close of it; ``demand_rows`` are the numbers of these lines.
    :param in_code: whether each line of ``below`` up to the last one that closes something begins in code.
    :param complete: whether nothing more is closed below these.
    :param from_start: whether ``above`` begins with the document.
    :param before: the document when the cursor came to these lines; None where nobody knows it.
    """

    language: str
    above: list[str]
    below: list[str]
    states: list[State]
    state: State
    demands: list[Demand]
    demand_rows: list[int]
    in_code: list[bool]
    complete: bool
    from_start: bool
    before: str | None = None

    @cached_property
    def _gone(self) -> tuple[list[str], list[str]]:
        if self.before is None:
            return [], []
        return gone_lines(lines_of(self.before), self.above, self.below, self.from_start)

    def rewritten(self, typed: str) -> bool:
        """Return whether lines are being replaced here and old ones still stand below, see :mod:`rewriting`.

        :param typed: the cursor's line. One line that is gone may be this line, which is only being changed.
        """
        gone = self._gone[0]
        return len(gone) > 1 or any(not is_of(line, typed) or repeats_below(line, typed, self.below) for line in gone)

    def restores(self, line: str, typed: str) -> bool:
        """Return whether a line opens and closes what a line did that is gone from here, and no new line does so yet.

        Its effect on the document is one that the document had, whatever stands around these lines.

        :param typed: the cursor's line, which may have been half typed when the document was opened.
        """
        gone, new = ([one for one in lines if one != typed.strip()] for lines in self._gone)
        marks = self._effect(line)
        if not gone or not marks:
            return False
        return sum(self._effect(one) == marks for one in gone) > sum(self._effect(one) == marks for one in new)

    def _effect(self, line: str) -> tuple[tuple[str, str], ...]:
        found = lexed(self.reader.rules, line)
        return () if found.neutral else tuple((mark.kind, mark.text) for mark in found.marks)

    @cached_property
    def reader(self) -> LineReader:
        """A reader of the document's language."""
        return LineReader(rules_of(self.language))

    def cost(self, state: State) -> int:
        """Return how badly the lines below agree with a state, see :func:`marks.disagreement`."""
        return disagreement(state, self.demands, self.complete, self.from_start)

    def agrees_later(self, state: State, allowed: int, typed: str) -> bool:
        """Return whether a state costs at most so much when some old lines below, being replaced, will be deleted.

        :param typed: the cursor's line.
        """
        drops = [n for n, row in enumerate(self.demand_rows[:REPLACED], 1) if row < REPLACED_LINES]
        if not drops or not self.rewritten(typed):
            return False
        return any(disagreement(state, self.demands[n:], self.complete, self.from_start) <= allowed for n in drops)

    def closed_below(self, span: int | str) -> bool:
        """Return whether the lines below end a string or comment that is open at the cursor.

        :param span: its number, or the word that ends a heredoc.
        """
        if isinstance(span, str):
            return self._ends_heredoc(span)
        mark = self.reader.rules.end_of_span(span)
        if not mark:
            return True  # the next line belongs to it in any case
        begin, end = self.reader.rules.span_ends[span]
        if self.reader.rules.begins_as_it_ends(span):
            first = next((line.strip() for line in self.below if line.strip()), "")
            if re.fullmatch(rf"{re.escape(mark)}[\s,;)\]}}.]*", first):
                return True  # a mark that ends something, and no more
            if opens_again(mark, self.below):
                return False
            return begins_within(span, self.below, self.reader.rules)
        for line in self.below:
            ends, begins = end.search(line), begin.search(line)
            if ends or begins:
                return ends is not None and (begins is None or ends.start() <= begins.start())
        return False

    def ends_next(self, span: int) -> bool:
        """Return whether the next line ends such a string or comment: no diff keeps two ends of one."""
        mark = self.reader.rules.end_of_span(span)
        return bool(mark) and next((line.strip() for line in self.below if line.strip()), "").startswith(mark)

    def _ends_heredoc(self, word: str) -> bool:
        """Return whether the first line below that is such a word ends no heredoc which begins below as well."""
        for line in self.below:
            if line.strip() == word:
                return True
            if word in line and self.reader.read(line, START).heredoc == word:
                return False
        return False

    @cached_property
    def cost_without(self) -> int:
        """The cost of the document without the cursor's line."""
        return self.cost(self.state)

    @cached_property
    def left_open(self) -> bool:
        """Whether a line below stands outside a block that is open at the cursor, though nothing has closed that.

        The user is writing the block then, and the lines below do not belong to it. Blocks whose lines are not indented
        are not judged.
        """
        block = self.state.code
        if block is None or block.indent < 0:
            return False
        inside = (line for line in reversed(self.above) if line.strip() and line.strip() != block.mark)
        last = next(inside, "")
        if last.strip() != block.head and indent_of(last) <= block.indent:
            return False
        row, line = self._first_code_below
        if not line or not _STATEMENT.match(line) or indent_of(line) > block.indent:
            return False
        rules = self.reader.rules
        if rules.inside and ((rules.middle and rules.middle.match(line)) or _BODY.match(line)):
            return False  # it goes on with the block
        return not self.demand_rows or self.demand_rows[0] > row

    @property
    def _first_code_below(self) -> tuple[int, str]:
        """The number of the first line below that is no comment, and that line."""
        for number, state in enumerate(self.states_below()):
            line = self.below[number].lstrip()
            if line and state.span < 0 and not ASIDE.match(line):
                return number, self.below[number]
        return 0, ""

    @cached_property
    def _known_below(self) -> list[State]:
        return [self.state]

    def states_below(self) -> Iterator[State]:
        """Yield what is open before each line of ``below`` if the cursor's line changes nothing of it.

        Few of these lines are asked for at most places, so they are read when they are.
        """
        known = self._known_below
        for number in range(len(self.below)):
            if number == len(known):
                known.append(self.reader.read(self.below[number - 1], known[-1]))
            yield known[number]

    @cached_property
    def unit(self) -> str | None:
        """The blanks of one level, see :func:`indentation.unit_of`."""
        return unit_of(self.above, self.below) or unit_of([*self.above, *self.below])


class SurroundingsCache:
    """Makes surroundings, and keeps those of the last cursor in each document. For one thread."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, str, Surroundings]] = {}
        self._states: dict[str, tuple[int, list[str], list[State], State]] = {}
        self._before: dict[str, str] = {}
        self._counts: dict[str, MarkCounts] = {}
        self._rows: dict[str, int] = {}
        self._cplusplus: dict[str, bool] = {}
        self._last: tuple[str, str, str, int, Surroundings] | None = None

    def update(self, document: Document) -> None:
        """Take a document's text as that which stood there before the user began, if it was just opened."""
        self._before.setdefault(document.uri, document.text)

    def at(self, document: Document, start: int, end: int) -> Surroundings:
        """Return what stands around a line.

        :param start, end: offsets of the line's start, and of its end without the line end.
        """
        text, called = document.text, document.language
        last = self._last
        if last is not None and last[0] is text and last[1:4] == (document.uri, called, start):
            return last[4]  # one key asks several times
        document = self._as_written(document, start)
        before, after = text[:start], text[end:]
        kept = self._kept.pop(document.uri, None)
        if kept is None or kept[0] != before or kept[1] != after or kept[2].language != document.language:
            old = kept[2] if kept is not None and kept[1] == after and kept[2].language == document.language else None
            kept = (before, after, self._made(document, before, after, old))
        self._kept[document.uri] = kept
        while len(self._kept) > DOCUMENTS:
            forgotten = next(iter(self._kept))
            del self._kept[forgotten]
            self._states.pop(forgotten, None)
            self._counts.pop(forgotten, None)
            self._cplusplus.pop(forgotten, None)
        self._last = (text, document.uri, called, start, kept[2])
        return kept[2]

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        for known in (self._kept, self._states, self._before, self._counts, self._rows, self._cplusplus):
            known.pop(uri, None)
        self._last = None

    def _as_written(self, document: Document, start: int) -> Document:
        """Return a document with the language that it is written in.

        The name of a header says C for C++ as well: all of its text is looked at once, 4 ms for 10,000 lines, and later
        what stands just above the cursor. The grammar of shells does not know zsh.
        """
        path = document.path or document.uri
        if document.language == "bash" and (path.endswith(ZSH) or _ZSH_LINE.match(document.text)):
            return replace(document, language="zsh")
        if document.language != "c" or not path.endswith(".h"):
            return document
        known = self._cplusplus.get(document.uri)
        if not known:
            text = document.text if known is None else document.text[max(0, start - HEADER_CHARS) : start]
            known = self._cplusplus[document.uri] = language_in("c", path, text) == "cpp"
        return replace(document, language="cpp") if known else document

    def _made(self, document: Document, before: str, after: str, old: Surroundings | None) -> Surroundings:
        rules = rules_of(document.language)
        before = unify_line_ends(before)
        counts = self._counts.setdefault(document.uri, MarkCounts())
        first, start, above = _lines_above(before, counts.of(before, "\n"))
        row, last = first + len(above), self._rows.get(document.uri)
        if last is not None and abs(row - last) > JUMP:
            self._before[document.uri] = document.text
        self._rows[document.uri] = row
        begun = self._before.get(document.uri)
        states = self._states_of(document, first, before[:start], above)
        state = states[-1] if states else self._states[document.uri][3]
        if old is not None:
            return replace(old, above=above, states=states, state=state, from_start=first == 0, before=begun)
        below, entire = _lines_below(after)
        demands: list[Demand] = []
        reader, found = LineReader(rules, demands), replace(START, span=state.span, heredoc=state.heredoc)
        complete, rows, in_code = entire, list[int](), list[bool]()
        for number, line in enumerate(below):
            in_code.append(found.span < 0 and not found.heredoc)
            found = reader.read(line, found)
            rows += [number] * (len(demands) - len(rows))
            # A list may end at the left margin within a block whose end stands there too.
            ends = demands and (demands[-1].mark not in ")]" or len(demands) >= len(opened(state.code)))
            if ends and demands[-1].indent == 0 and found.code is None:
                complete = True
                outer = outer_ends(state, below[number + 1 :], entire)
                unclosed = rules.unclosed_directives
                closed = unclosed("\n".join(below[: number + 1])) - unclosed(after)
                outer += [Demand("#endif", -1)] * outer_directives(state, demands, closed)
                demands += outer
                rows += [len(below)] * len(outer)
                break
        return Surroundings(
            document.language, above, below, states, state, demands, rows, in_code, complete, first == 0, begun
        )

    def _states_of(self, document: Document, first: int, over: str, above: list[str]) -> list[State]:
        """Return the state behind each line, reading only what is new since the last time.

        :param over: the text above the lines.
        """
        rules = rules_of(document.language)
        counts = self._counts[document.uri]
        known_first, lines, states, begin = self._states.get(document.uri, (-1, [], [], START))
        same = 0
        if known_first != first:
            outer = outer_state(over, above, rules)
            conditions = far_conditions(rules.unclosed_directives(over))
            begin = replace(outer, span=open_span(over, above, rules, counts.of), conditions=conditions)
        else:
            limit = min(len(lines), len(above))
            same = limit if lines[:limit] == above[:limit] else next(n for n in range(limit) if lines[n] != above[n])
        states = states[:same]
        # What closes more than was read to be open closes something above the first line: no fault.
        reader = LineReader(rules, [])
        state = states[-1] if states else begin
        for line in above[same:]:
            state = reader.read(line, state)
            states.append(state)
        self._states[document.uri] = (first, above, states, begin)
        return states


def _lines_above(before: str, total: int) -> tuple[int, int, list[str]]:
    """Return the number of the first line that is read, the offset where it begins, and the lines from it on.

    :param total: the number of line ends in the text.
    """
    first = max(0, (total - LINES_ABOVE) // LINES_ABOVE * LINES_ABOVE)
    at = len(before)
    for _ in range(total - first):
        at = before.rfind("\n", 0, at)
    start = before.rfind("\n", 0, at) + 1 if first else 0
    lines = before[start:].split("\n")
    return first, start, lines[:-1]


def _lines_below(after: str) -> tuple[list[str], bool]:
    """Return the lines that are read below, and whether they are all."""
    at, entire = 0, False
    for _ in range(LINES_BELOW + 1):
        end = (
            min((e for e in (after.find("\n", at), after.find("\r", at)) if e >= 0), default=-1)
            if "\r" in after[at : at + 400]
            else after.find("\n", at)
        )
        if end < 0:
            at, entire = len(after), True
            break
        at = end + (2 if after[end : end + 2] == "\r\n" else 1)
    lines = lines_of(after[:at])[1:]
    return (lines[:-1] if lines and not lines[-1] else lines), entire


def indent_of(line: str) -> int:
    """Return the columns of a line's leading blanks."""
    return columns(leading_blanks(line))
