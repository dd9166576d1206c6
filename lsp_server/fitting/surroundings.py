"""What stands around a cursor's line: what is open there, and what the lines below close.

``surroundings_cache`` reads the lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from indexer.text.lines import indent_of, lines_of
from lsp_server.fitting.indentation import unit_of
from lsp_server.fitting.line_marks import lexed
from lsp_server.fitting.marks import START, Demand, LineReader, State, disagreement, rules_of
from lsp_server.fitting.outer_blocks import ASIDE
from lsp_server.fitting.rewriting import gone_lines, is_of, repeats_below
from lsp_server.fitting.spans import begins_within, opens_again

REPLACED: Final = 3
"""Blocks that the old lines just below may close, ``REPLACED_LINES`` lines, and that the new lines close as well."""

REPLACED_LINES: Final = 20

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
