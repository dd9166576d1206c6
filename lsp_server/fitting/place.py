"""Fits a text to one cursor.

The document is looked at as it would be after the accept. A text that would leave it unbalanced is repaired where that
is possible: it is cut to its longest sound part, or put before closing marks that stand behind the cursor already. The
rest is rejected. What stood wrong before is not held against a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from indexer.secrets.cover import COVER, PLACEHOLDER
from indexer.secrets.masking import find
from indexer.text.lines import leading_blanks, line_end, unify_line_ends
from indexer.text.tokens import TOKEN
from lsp_server.fitting.answers import visible
from lsp_server.fitting.behind import in_call, placements, with_comma, with_separator
from lsp_server.fitting.endings import BEGINS, NO_END, begins_block, goes_on, lacks_colon, may_stop, reopens_string
from lsp_server.fitting.far_names import defined_far
from lsp_server.fitting.indentation import in_unit, unit_of
from lsp_server.fitting.interpolations import leaves_code_open
from lsp_server.fitting.levels import ends_in_parentheses
from lsp_server.fitting.macros import PREPROCESSED, as_in_definition
from lsp_server.fitting.marks import LONGEST, State, holds_own, keeps, leaves_open, without_own
from lsp_server.fitting.names import defined_twice
from lsp_server.fitting.starts import continues_nothing, misplaced
from lsp_server.fitting.surroundings import Surroundings, SurroundingsCache
from lsp_server.fitting.syntax import SyntaxCheck
from lsp_server.types import Document

PLACEMENTS: Final = 12
"""Ways to put a text before what stands behind the cursor that are tried, at most."""

SECRET_CHARS: Final = 1_000
"""Characters before the cursor that may show that a text is a secret."""

BEGINNINGS: Final = 8
"""Balanced beginnings of an unsound line that are tried, at most; each costs a check of its syntax."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text that fits.

    :param text: what to insert, with the document's line ends. :param end: offset up to which it replaces.
    :param cut: what was taken away, for the trace: names of rules.
    :param skipped: why the syntax was not checked, for the trace; "" if it was.
    """

    text: str
    end: int
    cut: tuple[str, ...] = ()
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A text that fits nowhere near.

    :param reason: the rule that it breaks, for the trace.
    """

    reason: str


class Place:
    """A cursor, and the line around it."""

    def __init__(self, cache: SurroundingsCache, document: Document, offset: int, syntax: SyntaxCheck) -> None:
        text = document.text
        start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
        end = min((e for e in (text.find("\n", offset), text.find("\r", offset)) if e >= 0), default=len(text))
        self._document, self._offset, self._syntax, self._skipped = document, offset, syntax, ""
        self._prefix, self._rest = text[start:offset], text[offset:end]
        # Of a line of minified code only what the text itself opens and closes is looked at.
        self._long = end - start > LONGEST
        if self._long:
            self._prefix, self._rest = "", self._rest[:LONGEST]
        self._around: Surroundings = cache.at(document, start, end)
        self._typed = self._read(self._prefix + self._rest)
        # What the document lacks with the line as it is typed, or without it, is not the text's fault. The missing end
        # of a statement that is typed over several lines is a fault of each of them.
        # A line that opens the block which the lines below close must go on doing so.
        cost, before = self._around.cost(self._typed), self._around.state
        opens = self._typed.code is not before.code and keeps(self._typed, before, lists=True)
        self._allowed = 0 if opens and not cost else max(cost, self._around.cost_without)

    @property
    def unit(self) -> str | None:
        """The blanks of one level, as the lines around the cursor tell."""
        return self._around.unit or unit_of([self._prefix + "."])

    def may_end(self, text: str) -> bool:
        """See :meth:`Fitter.may_end`."""
        return self._may_end(text, self._rest, part=True)

    def _may_end(self, text: str, behind: str, part: bool = False) -> bool:
        text = text.rstrip("\\ ") if self._in_definition else text
        if leaves_open(self._around.reader, self._around.state, self._prefix, text + behind):
            return False
        if self._around.state.span < 0 and leaves_code_open(self._document.language, self._prefix, text + behind):
            return False
        line = self._prefix + text + behind
        state = self._read(line, len(self._prefix))
        prose = state.span >= 0 or self._around.reader.ends_in_comment(line)
        if not behind.strip() and not may_stop(line, self._document.language, prose=prose, part=part):
            return False
        return not self._adds_error([line], without_own(state), alone=True)

    def _ends(self, text: str, behind: str) -> bool:
        """Return whether a whole line may end with a text though no next line follows it."""
        line = self._prefix + text + behind
        indented = self._around.reader.rules.indented
        return self._may_end(text, behind) and not (indented and lacks_colon(line, self._read(line)))

    def defined_twice(self, text: str) -> bool:
        """See :meth:`Fitter.defined_twice`."""
        return defined_twice(self._prefix + text, self._around, strict=True) or self._defined_far(text)

    def _defined_far(self, text: str) -> bool:
        return defined_far(self._prefix + text, self._around, self._document.text, self._offset)

    def fit(self, text: str, whole: bool, automatic: bool = False) -> Fitted | Rejected:
        """Return the text as it fits, see :meth:`Fitter.fit`."""
        shown = visible(unify_line_ends(text))
        hidden = ["characters"] if shown != unify_line_ends(text) else []
        text, cut = self._without_masks(shown)
        if not text.strip():
            return Rejected("mask" if cut else "blank")
        first, *below = text.split("\n")
        below = in_unit(below, leading_blanks(self._prefix + first), self.unit) if below else below
        whole = whole and not cut
        cut += hidden
        if whole and self._document.language == "json" and not self._rest.strip():
            strict = (self._document.path or "").endswith(".json")
            first, *below = with_comma([first, *below], self._around.below, strict)
        block = self._around.state.code
        if whole and not self._rest.strip() and block is not None and block.mark == "(":
            lines = [self._prefix + first, *below]
            lines = with_separator(self._document.language, block.head, lines, self._around.below)
            first, *below = lines[0][len(self._prefix) :], *lines[1:]
        if whole and self._document.language in PREPROCESSED and not self._rest.strip():
            first, *below = self._as_in_definition([first, *below])
        if not self._long and (misplaced(first, self._prefix, self._around) or self._defined_far(first)):
            return Rejected("misplaced")
        found = self._with_lines(first, below) if whole and below and not self._rest.strip() else None
        if found is None:
            found = self._first_line(first, whole, automatic)
            if whole and not automatic and (found is None or found[0][0] != first):
                found = self._closed(first) or self._with_comma(first) or found
            found = found or self._beginning(first)
            if found is None:
                return Rejected("unsound")
        lines, replaced = found
        if not any(map(str.strip, lines)):
            return Rejected("blank")
        if lines[0] != first:
            cut.append("line")
        if len(lines) <= len(below):
            cut.append("lines")
        if self._is_secret("\n".join(lines)):
            return Rejected("secret")
        end = self._offset + replaced
        joined = line_end(self._document.text).join(lines) if len(lines) > 1 else lines[0]
        return Fitted(joined, end, tuple(cut), self._skipped)

    @property
    def _in_definition(self) -> bool:
        """Whether the cursor's line goes on with the definition of a macro."""
        rules, span = self._around.reader.rules, self._around.state.span
        if span < 0 and self._around.language in PREPROCESSED and self._around.above[-1:]:
            return self._around.above[-1].endswith("\\")  # its beginning may stand far above
        return span >= 0 and rules.ends_with_line(span) and not rules.end_of_span(span)

    def _as_in_definition(self, lines: list[str]) -> list[str]:
        """See :func:`macros.as_in_definition`; in strings and comments nothing is changed."""
        span, inside = self._around.state.span, self._in_definition
        if not inside and (span >= 0 or self._read(self._prefix + lines[0]).span >= 0):
            return lines
        first, *below = as_in_definition(
            [self._prefix + lines[0], *lines[1:]], self._around.above, self._around.below, inside
        )
        return [first[len(self._prefix) :], *below]

    def _is_secret(self, text: str) -> bool:
        """Return whether a part of a text would be a secret at the cursor, seen with the lines above."""
        above = self._document.text[max(0, self._offset - SECRET_CHARS) : self._offset]
        above = above if self._offset <= SECRET_CHARS else above[above.find("\n") + 1 :]
        spans = find(above + text + self._rest, self._document.path or "")
        return any(left < len(above) + len(text) and right > len(above) for left, right in spans)

    def _without_masks(self, text: str) -> tuple[str, list[str]]:
        """Return the text up to the placeholder of a masked secret, and what was cut."""
        # One may begin before the cursor: the rest of it is no code either.
        typed = self._prefix[1 - len(PLACEHOLDER) :]
        places = ((typed + text).find(PLACEHOLDER) - len(typed), text.find(COVER))
        found = [at for at, none in zip(places, (-1 - len(typed), -1), strict=True) if at > none]
        if not found:
            return text, []
        at = max(0, min(found))
        before, _, _ = text[:at].rpartition("\n") if "\n" in text[:at] else (text[:at].rstrip("\"'`([{ "), "", "")
        return before, ["mask"]

    def _read(self, line: str, own: int | None = None) -> State:
        return self._around.reader.read(line, self._around.state, own)

    def _with_lines(self, first: str, below: Sequence[str]) -> tuple[list[str], int] | None:
        """Return a text with as many of its lines as can follow the first, None where none can."""
        count, state = self._sound(first, below)
        while count and not below[count - 1].strip():
            count -= 1
        if not count or self._adds_error([self._prefix + first, *below[:count]], state):
            return None
        return [first, *below[:count]], 0

    def _first_line(self, text: str, whole: bool, automatic: bool = False) -> tuple[list[str], int] | None:
        """Return the first line as it fits to the text behind the cursor, and how much of that it replaces."""
        for candidate, replaced in islice(placements(text, self._rest), PLACEMENTS):
            behind = self._rest[replaced:]
            line = self._prefix + candidate + behind
            if not candidate.strip() or candidate == self._rest[:replaced]:
                continue
            state = self._read(line, len(self._prefix))
            if behind.strip() and (self._opens_string(candidate, state) or self._leaves_quote(behind, state)):
                continue
            if not self._stands(line, state, behind, whole) or (whole and self._adds_error([line], state)):
                continue
            if not (whole and automatic) or begins_block(line, state) or self._ends(candidate, behind):
                return [candidate], replaced
        return None

    def _closed(self, text: str) -> tuple[list[str], int] | None:
        """Return a line that begins a string or comment of several lines, with the end of that.

        The end can be moved further down while the string is written; without it the lines below would belong to it.
        The word that ends a heredoc, and what follows an escaped line end, stand on a line of their own.
        """
        line = self._prefix + text
        state = self._read(line, len(self._prefix))
        if self._rest.strip() or self._typed.heredoc or (self._typed.span >= 0 and not state.heredoc):
            return None
        rules = self._around.reader.rules
        end = state.heredoc or (rules.end_of_span(state.span) if state.span >= 0 else "")
        if not end:
            return None
        if not (state.heredoc or rules.ends_on_own_line(state.span) or text.endswith("\\")):
            return self._first_line(f"{text} {end}" if end[-1] in "/>" else text + end, True)
        for last in (end, end + ";"):
            after = self._around.reader.read(last, state, 0)
            if self._stands(last, after, "", True) and not self._adds_error([line, last], after):
                return [text, last], 0
        return None

    def _with_comma(self, text: str) -> tuple[list[str], int] | None:
        """Return an item of a list with the comma that the next one asks for, or without the one that ends the list."""
        block, line = self._around.state.code, text.rstrip()
        if self._rest.strip() or block is None or block.mark not in "([{" or self._around.reader.ends_in_comment(line):
            return None
        other = line[:-1] if line.endswith(",") else line + ","
        found = None if self._around.reader.read(self._prefix + line, self._around.state).code is not block else other
        fitted = None if found is None else self._first_line(found, True)
        return None if self._skipped else fitted

    def _beginning(self, text: str) -> tuple[list[str], int] | None:
        """Return the longest beginning of a line that closes what it opens and adds no error.

        A model's line is often right up to one mark too many, and a part of it is more use than nothing.
        """
        if self._rest.strip():
            return None
        ends = [match.end() for match in TOKEN.finditer(text)][:-1]
        # Marks alone say nothing, nor does one word that begins a statement.
        parts = (text[:end] for end in reversed(ends) if any(map(str.isalnum, text[:end])))
        parts = (part for part in parts if not BEGINS.fullmatch(self._prefix + part))
        before = self._around.state
        balanced = (part for part in parts if not leaves_open(self._around.reader, before, self._prefix, part))
        for part in islice((part for part in balanced if not NO_END.search(part)), BEGINNINGS):
            line = self._prefix + part
            state = self._read(line, len(self._prefix))
            if not self._stands(line, state, "", True) or self._adds_error([line], state, alone=True):
                continue
            # What is wrong in the line as it is typed excuses no beginning, and what the lines below leave unjudged,
            # those above may judge.
            if not self._adds_error([line], state):
                return [part], 0
        return None

    def _opens_string(self, text: str, state: State) -> bool:
        """Return whether a text opens a string that the text behind the cursor does not close.

        :param state: behind the line.
        """
        before = self._read(self._prefix).faults
        if before > self._around.state.faults and state.faults >= before:
            return reopens_string(self._around.reader, self._around.state, self._prefix, text)
        return self._read(self._prefix + text).faults > before and state.faults > before

    def _leaves_quote(self, behind: str, state: State) -> bool:
        """Return whether a quote behind the cursor that no string begins before is left as it is."""
        alone = behind.lstrip()[:1] in ("'", '"', "`") and self._typed.faults > self._around.state.faults
        return alone and state.faults >= self._typed.faults

    def _adds_error(self, lines: Sequence[str], state: State, alone: bool = False) -> bool:
        if self._long:
            self._skipped = "long line"
            return False
        if not alone and len(lines) == 1 and self._mends(state):
            return False
        typed = (self._prefix + self._rest, self._typed)
        verdict = self._syntax.check(self._around, lines, state, typed, alone, self._replaces(state))
        self._skipped = verdict.skipped
        return verdict.adds and (alone or len(lines) > 1 or not self._around.restores(lines[0], typed[0]))

    def _mends(self, state: State) -> bool:
        """Return whether a line closes what was open, so that the lines below agree better than without it."""
        return not keeps(state, self._around.state) and self._around.cost(state) < self._allowed

    def _stands(self, line: str, state: State, behind: str, whole: bool) -> bool:
        """Return whether a line can be followed by the lines below.

        :param state: behind it. :param behind: what of the line stands behind the text.
        """
        if state.span != self._typed.span:
            ended = state.span < 0
            span = self._typed.span if ended else state.span
            stays = ended and self._around.rewritten(self._prefix) and not self._around.ends_next(span)
            stays = stays or (ended and self._around.reader.rules.ends_with_line(span))
            if self._around.closed_below(span) == ended and not stays:
                return False
        if state.heredoc != self._typed.heredoc:
            ended = not state.heredoc
            goes_on = self._around.closed_below(self._typed.heredoc if ended else state.heredoc)
            if goes_on == ended and not (ended and self._around.rewritten(self._prefix)):
                return False
        if not whole and not behind.strip():
            state = replace(without_own(state), faults=max(self._typed.faults, state.faults - 1))
        if behind.strip() or not whole:
            return self._agrees(state)
        if ends_in_parentheses(line, state, self._around):
            return False
        opened = state.code is not None and state.code.own
        if opened and self._rest.strip() and in_call(self._prefix):
            return False
        # In "} else if (x) {" before another "} else {" the block that is opened takes the place of the closed one.
        if self._replaces(state) and self._faultless(state):
            return True
        # A line that opens a block is how a block is begun: its end is typed, or follows with the block.
        return (
            self._agrees(without_own(state))
            or self._agrees(state)
            or self._around.restores(line, self._prefix + self._rest)
        )

    def _replaces(self, state: State) -> bool:
        """Return whether a block that is opened takes the place of one that is closed, and the lines below close it."""
        opened = state.code is not None and state.code.own
        return opened and not keeps(state, self._around.state) and self._around.cost(state) <= self._allowed

    def _agrees(self, state: State) -> bool:
        """Return whether what is open agrees with the lines below as well as without the text."""
        closes = keeps(self._typed, self._around.state) and self._closes(state)
        if not self._faultless(state):
            return False
        fits = self._around.cost(state) + closes <= self._allowed
        return fits or self._around.agrees_later(state, self._allowed, self._prefix)

    def _faultless(self, state: State) -> bool:
        """Return whether a state has no fault that the line as it is typed has not."""
        before = self._around.state.faults
        return state.faults - before <= max(0, self._typed.faults - before)

    def _closes(self, state: State) -> bool:
        """Return whether a block around the cursor is closed that the lines below are known to close."""
        return self._around.complete and not keeps(state, self._around.state)

    def _sound(self, first: str, below: Sequence[str]) -> tuple[int, State]:
        """Return how many of the lines after the first can follow it so that nothing is left open, and the state.

        Of the numbers that leave nothing open it is the largest of those that agree best with the lines below. A block
        around the cursor is closed only where that makes the agreement better.
        """
        around = self._around
        state = found = self._read(self._prefix + first, len(self._prefix))
        if state.faults > around.state.faults:
            return 0, state
        above = [*around.above[-40:], self._prefix + first]
        first_alone = without_own(state)
        sound, best = 0, min(self._allowed, around.cost(first_alone) + self._closes(first_alone))
        for number, line in enumerate(below, 1):
            if continues_nothing(line, around, above, state) or defined_twice(line, around, state, above):
                break
            state = around.reader.read(line, state, 0)
            above.append(line)
            if holds_own(state, around.state) or goes_on(line, state):
                continue
            cost = around.cost(state)
            if cost + self._closes(state) <= best and state.faults == around.state.faults:
                sound, found, best = number, state, cost
        return sound, found
