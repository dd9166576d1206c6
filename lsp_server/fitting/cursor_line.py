"""Judges what the cursor's line would be with a text: does it agree with the lines around it, and does it parse?

What stood wrong before is not held against a text: the line is compared with what it is as it is typed, and with the
document without it. Which texts are tried, and how one is repaired, is decided by ``place``.
"""

from collections.abc import Sequence
from dataclasses import replace

from lsp_server.fitting.behind import in_call
from lsp_server.fitting.endings import goes_on, lacks_colon, may_stop, reopens_string
from lsp_server.fitting.families import C_FAMILY
from lsp_server.fitting.interpolations import leaves_code_open
from lsp_server.fitting.levels import ends_in_parentheses
from lsp_server.fitting.marks import LONGEST, State, holds_own, keeps, leaves_open, without_own
from lsp_server.fitting.names import defined_twice
from lsp_server.fitting.starts import continues_nothing
from lsp_server.fitting.surroundings_cache import SurroundingsCache
from lsp_server.fitting.syntax import SyntaxCheck
from lsp_server.types import Document


class CursorLine:
    """The line that a cursor stands in.

    :ivar prefix, rest: the line before and behind the cursor. :ivar around: what stands around the line.
    :ivar typed: what is open behind the line as it is typed.
    :ivar is_long: whether it is a line of minified code: only what the text itself opens and closes is looked at there.
    :ivar skipped: why the last check left the syntax out; "" if it did not.
    """

    def __init__(self, cache: SurroundingsCache, document: Document, offset: int, syntax: SyntaxCheck) -> None:
        text = document.text
        start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
        end = min((e for e in (text.find("\n", offset), text.find("\r", offset)) if e >= 0), default=len(text))
        self._language, self._syntax, self.skipped = document.language, syntax, ""
        self.prefix, self.rest = text[start:offset], text[offset:end]
        self.is_long = end - start > LONGEST
        if self.is_long:
            self.prefix, self.rest = "", self.rest[:LONGEST]
        self.around = cache.at(document, start, end)
        self.typed = self.read(self.prefix + self.rest)
        # What the document lacks with the line as it is typed, or without it, is not the text's fault. The missing end
        # of a statement that is typed over several lines is a fault of each of them.
        # A line that opens the block which the lines below close must go on doing so.
        cost, before = self.around.cost(self.typed), self.around.state
        opens = self.typed.code is not before.code and keeps(self.typed, before, lists=True)
        self._allowed = 0 if opens and not cost else max(cost, self.around.cost_without)

    @property
    def in_definition(self) -> bool:
        """Whether the line goes on with the definition of a macro."""
        rules, span = self.around.reader.rules, self.around.state.span
        if span < 0 and self.around.language in C_FAMILY and self.around.above[-1:]:
            return self.around.above[-1].endswith("\\")  # its beginning may stand far above
        return span >= 0 and rules.ends_with_line(span) and not rules.end_of_span(span)

    def read(self, line: str, own: int | None = None) -> State:
        """Return what is open behind a line in the place of this one, see :meth:`marks.LineReader.read`."""
        return self.around.reader.read(line, self.around.state, own)

    def read_with(self, text: str) -> tuple[str, State]:
        """Return the line with a text and nothing behind it, and what is open then."""
        line = self.prefix + text
        return line, self.read(line, len(self.prefix))

    def may_end(self, text: str, behind: str, part: bool = False) -> bool:
        """Return whether the line may end with a text and what is left behind it, though nothing follows.

        :param part: whether more of the text follows.
        """
        text = text.rstrip("\\ ") if self.in_definition else text
        if leaves_open(self.around.reader, self.around.state, self.prefix, text + behind):
            return False
        if self.around.state.span < 0 and leaves_code_open(self._language, self.prefix, text + behind):
            return False
        line, state = self.read_with(text + behind)
        prose = state.span >= 0 or self.around.reader.ends_in_comment(line)
        if not behind.strip() and not may_stop(line, self._language, prose=prose, part=part):
            return False
        return not self.adds_error([line], without_own(state), alone=True)

    def may_end_whole(self, text: str, behind: str) -> bool:
        """Return whether a whole line may end with a text though no next line follows it."""
        line = self.prefix + text + behind
        indented = self.around.reader.rules.indented
        return self.may_end(text, behind) and not (indented and lacks_colon(line, self.read(line)))

    def breaks_strings(self, text: str, behind: str, state: State) -> bool:
        """Return whether a text opens or ends a string so that what is left behind it is no longer what it was.

        :param state: behind the line.
        """
        return behind.strip() != "" and (self._opens_string(text, state) or self._leaves_quote(behind, state))

    def _opens_string(self, text: str, state: State) -> bool:
        """Return whether a text opens a string that the text behind the cursor does not close."""
        before = self.read(self.prefix).faults
        if before > self.around.state.faults and state.faults >= before:
            return reopens_string(self.around.reader, self.around.state, self.prefix, text)
        return self.read(self.prefix + text).faults > before and state.faults > before

    def _leaves_quote(self, behind: str, state: State) -> bool:
        """Return whether a quote behind the cursor that no string begins before is left as it is."""
        alone = behind.lstrip()[:1] in ("'", '"', "`") and self.typed.faults > self.around.state.faults
        return alone and state.faults >= self.typed.faults

    def adds_error(self, lines: Sequence[str], state: State, alone: bool = False) -> bool:
        """Return whether lines in the place of this one add a syntax error.

        :param state: behind them. :param alone: whether they must stand without a next line.
        """
        if self.is_long:
            self.skipped = "long line"
            return False
        if not alone and len(lines) == 1 and self._mends(state):
            return False
        typed = (self.prefix + self.rest, self.typed)
        verdict = self._syntax.check(self.around, lines, state, typed, alone, self._replaces(state))
        self.skipped = verdict.skipped
        return verdict.adds and (alone or len(lines) > 1 or not self.around.restores(lines[0], typed[0]))

    def stands(self, line: str, state: State, behind: str, whole: bool) -> bool:
        """Return whether a line in the place of this one can be followed by the lines below.

        :param state: behind it. :param behind: what of the line stands behind the text.
        :param whole: False if the user goes on to type the rest of the line.
        """
        if not self._ends_spans_soundly(state):
            return False
        if not whole and not behind.strip():
            state = replace(without_own(state), faults=max(self.typed.faults, state.faults - 1))
        if behind.strip() or not whole:
            return self._agrees(state)
        if ends_in_parentheses(line, state, self.around):
            return False
        opened = state.code is not None and state.code.own
        if opened and self.rest.strip() and in_call(self.prefix):
            return False
        # In "} else if (x) {" before another "} else {" the block that is opened takes the place of the closed one.
        if self._replaces(state) and self._faultless(state):
            return True
        # A line that opens a block is how a block is begun: its end is typed, or follows with the block.
        return (
            self._agrees(without_own(state))
            or self._agrees(state)
            or self.around.restores(line, self.prefix + self.rest)
        )

    def _ends_spans_soundly(self, state: State) -> bool:
        """Return whether the lines below end a string, comment or heredoc that is begun, and no longer an ended one."""
        if state.span != self.typed.span:
            ended = state.span < 0
            span = self.typed.span if ended else state.span
            stays = ended and self.around.rewritten(self.prefix) and not self.around.ends_next(span)
            stays = stays or (ended and self.around.reader.rules.ends_with_line(span))
            if self.around.closed_below(span) == ended and not stays:
                return False
        if state.heredoc != self.typed.heredoc:
            ended = not state.heredoc
            closed_below = self.around.closed_below(self.typed.heredoc if ended else state.heredoc)
            if closed_below == ended and not (ended and self.around.rewritten(self.prefix)):
                return False
        return True

    def _mends(self, state: State) -> bool:
        """Return whether a line closes what was open, so that the lines below agree better than without it."""
        return not keeps(state, self.around.state) and self.around.cost(state) < self._allowed

    def _replaces(self, state: State) -> bool:
        """Return whether a block that is opened takes the place of one that is closed, and the lines below close it."""
        opened = state.code is not None and state.code.own
        return opened and not keeps(state, self.around.state) and self.around.cost(state) <= self._allowed

    def _agrees(self, state: State) -> bool:
        """Return whether what is open agrees with the lines below as well as without the text."""
        closes = keeps(self.typed, self.around.state) and self._closes(state)
        if not self._faultless(state):
            return False
        fits = self.around.cost(state) + closes <= self._allowed
        return fits or self.around.agrees_later(state, self._allowed, self.prefix)

    def _faultless(self, state: State) -> bool:
        """Return whether a state has no fault that the line as it is typed has not."""
        before = self.around.state.faults
        return state.faults - before <= max(0, self.typed.faults - before)

    def _closes(self, state: State) -> bool:
        """Return whether a block around the cursor is closed that the lines below are known to close."""
        return self.around.complete and not keeps(state, self.around.state)

    def count_following(self, first: str, below: Sequence[str]) -> tuple[int, State]:
        """Return how many lines can follow a text's first line so that nothing is left open, and the state then.

        Of the numbers that leave nothing open it is the largest of those that agree best with the lines below. A block
        around the cursor is closed only where that makes the agreement better.
        """
        around = self.around
        line, state = self.read_with(first)
        found = state
        if state.faults > around.state.faults:
            return 0, state
        above = [*around.above[-40:], line]
        first_alone = without_own(state)
        sound, best = 0, min(self._allowed, around.cost(first_alone) + self._closes(first_alone))
        for number, following in enumerate(below, 1):
            if continues_nothing(following, around, above, state) or defined_twice(following, around, state, above):
                break
            state = around.reader.read(following, state, 0)
            above.append(following)
            if holds_own(state, around.state) or goes_on(following, state):
                continue
            cost = around.cost(state)
            if cost + self._closes(state) <= best and state.faults == around.state.faults:
                sound, found, best = number, state, cost
        return sound, found
