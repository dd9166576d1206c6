"""Fits a text to one cursor.

The document is looked at as it would be after the accept. A text that would leave it unbalanced is repaired where that
is possible: it is cut to its longest sound part, or put before closing marks that stand behind the cursor already. The
rest is rejected. ``cursor_line`` judges each candidate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from indexer.secrets.cover import COVER, PLACEHOLDER
from indexer.secrets.masking import find
from indexer.text.lines import leading_blanks, line_end, unify_line_ends
from indexer.text.tokens import TOKEN
from lsp_server.fitting.answers import visible
from lsp_server.fitting.behind import placements, with_comma, with_separator
from lsp_server.fitting.cursor_line import CursorLine
from lsp_server.fitting.endings import BEGINS, NO_END, begins_block
from lsp_server.fitting.families import C_FAMILY
from lsp_server.fitting.far_names import defined_far
from lsp_server.fitting.indentation import in_unit, unit_of
from lsp_server.fitting.macros import as_in_definition
from lsp_server.fitting.marks import leaves_open
from lsp_server.fitting.names import defined_twice
from lsp_server.fitting.starts import misplaced
from lsp_server.fitting.surroundings_cache import SurroundingsCache
from lsp_server.fitting.syntax import SyntaxCheck
from lsp_server.types import Document

PLACEMENTS: Final = 12
"""Ways to put a text before what stands behind the cursor that are tried, at most."""

SECRET_CHARS: Final = 1_000
"""Characters before the cursor that may show that a text is a secret."""

BEGINNINGS: Final = 8
"""Balanced beginnings of an unsound line that are tried, at most; each costs a check of its syntax."""

_Fit = tuple[list[str], int]
"""The lines of a text that fit, and how many characters behind the cursor they replace."""


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
    """A cursor, with the line that it stands in."""

    def __init__(self, cache: SurroundingsCache, document: Document, offset: int, syntax: SyntaxCheck) -> None:
        self._document, self._offset = document, offset
        self._line = CursorLine(cache, document, offset, syntax)
        self._around = self._line.around
        self._prefix, self._rest = self._line.prefix, self._line.rest
        self._nothing_behind = not self._rest.strip()

    @property
    def unit(self) -> str | None:
        """The blanks of one level, as the lines around the cursor tell."""
        return self._around.unit or unit_of([self._prefix + "."])

    def may_end(self, text: str) -> bool:
        """See :meth:`Fitter.may_end`."""
        return self._line.may_end(text, self._rest, part=True)

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
        whole = whole and not cut
        cut += hidden
        first, *below = self._with_document_style(text.split("\n"), whole)
        if not self._line.is_long and (misplaced(first, self._prefix, self._around) or self._defined_far(first)):
            return Rejected("misplaced")
        found = self._largest_part(first, below, whole, automatic)
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
        joined = line_end(self._document.text).join(lines) if len(lines) > 1 else lines[0]
        return Fitted(joined, self._offset + replaced, tuple(cut), self._line.skipped)

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

    def _is_secret(self, text: str) -> bool:
        """Return whether a part of a text would be a secret at the cursor, seen with the lines above."""
        above = self._document.text[max(0, self._offset - SECRET_CHARS) : self._offset]
        above = above if self._offset <= SECRET_CHARS else above[above.find("\n") + 1 :]
        spans = find(above + text + self._rest, self._document.path or "")
        return any(left < len(above) + len(text) and right > len(above) for left, right in spans)

    def _with_document_style(self, lines: list[str], whole: bool) -> list[str]:
        """Return the lines of a text in the document's indentation.

        Whole lines get the marks that the lines below ask for, too: a comma, a semicolon, a backslash.
        """
        first, *below = self._prefix + lines[0], *lines[1:]
        lines = [first, *in_unit(below, leading_blanks(first), self.unit)] if below else [first]
        if whole and self._nothing_behind:
            language, block = self._document.language, self._around.state.code
            if language == "json":
                strict = (self._document.path or "").endswith(".json")
                lines = with_comma(lines, self._around.below, strict)
            if block is not None and block.mark == "(":
                lines = with_separator(language, block.head, lines, self._around.below)
            if language in C_FAMILY:
                lines = self._as_in_definition(lines)
        return [lines[0][len(self._prefix) :], *lines[1:]]

    def _as_in_definition(self, lines: list[str]) -> list[str]:
        """See :func:`macros.as_in_definition`; in strings and comments nothing is changed."""
        inside = self._line.in_definition
        if not inside and (self._around.state.span >= 0 or self._line.read(lines[0]).span >= 0):
            return lines
        return as_in_definition(lines, self._around.above, self._around.below, inside)

    def _largest_part(self, first: str, below: list[str], whole: bool, automatic: bool) -> _Fit | None:
        """Return the part of a text that leaves the document sound, whole lines first."""
        found = self._with_lines(first, below) if whole and below and self._nothing_behind else None
        if found is None:
            found = self._first_line(first, whole, automatic)
            if whole and not automatic and (found is None or found[0][0] != first):
                found = self._closed(first) or self._with_comma(first) or found
        return found or self._beginning(first)

    def _with_lines(self, first: str, below: Sequence[str]) -> _Fit | None:
        """Return a text with as many of its lines as can follow the first, None where none can."""
        count, state = self._line.count_following(first, below)
        while count and not below[count - 1].strip():
            count -= 1
        if not count or self._line.adds_error([self._prefix + first, *below[:count]], state):
            return None
        return [first, *below[:count]], 0

    def _first_line(self, text: str, whole: bool, automatic: bool = False) -> _Fit | None:
        """Return the first line as it fits to the text behind the cursor."""
        judge = self._line
        for candidate, replaced in islice(placements(text, self._rest), PLACEMENTS):
            behind = self._rest[replaced:]
            if not candidate.strip() or candidate == self._rest[:replaced]:
                continue
            line, state = judge.read_with(candidate + behind)
            if judge.breaks_strings(candidate, behind, state) or not judge.stands(line, state, behind, whole):
                continue
            if whole and judge.adds_error([line], state):
                continue
            if not (whole and automatic) or begins_block(line, state) or judge.may_end_whole(candidate, behind):
                return [candidate], replaced
        return None

    def _closed(self, text: str) -> _Fit | None:
        """Return a line that begins a string or comment of several lines, with the end of that.

        The end can be moved further down while the string is written; without it the lines below would belong to it.
        The word that ends a heredoc, and what follows an escaped line end, stand on a line of their own.
        """
        line, state = self._line.read_with(text)
        typed = self._line.typed
        if not self._nothing_behind or typed.heredoc or (typed.span >= 0 and not state.heredoc):
            return None
        rules = self._around.reader.rules
        end = state.heredoc or (rules.end_of_span(state.span) if state.span >= 0 else "")
        if not end:
            return None
        if not (state.heredoc or rules.ends_on_own_line(state.span) or text.endswith("\\")):
            return self._first_line(f"{text} {end}" if end[-1] in "/>" else text + end, True)
        for last in (end, end + ";"):
            after = self._around.reader.read(last, state, 0)
            if self._line.stands(last, after, "", True) and not self._line.adds_error([line, last], after):
                return [text, last], 0
        return None

    def _with_comma(self, text: str) -> _Fit | None:
        """Return an item of a list with the comma that the next one asks for, or without the one that ends the list."""
        block, line = self._around.state.code, text.rstrip()
        if not self._nothing_behind or block is None or block.mark not in "([{":
            return None
        if self._around.reader.ends_in_comment(line) or self._line.read(self._prefix + line).code is not block:
            return None
        fitted = self._first_line(line[:-1] if line.endswith(",") else line + ",", True)
        return None if self._line.skipped else fitted

    def _beginning(self, text: str) -> _Fit | None:
        """Return the longest beginning of a line that closes what it opens and adds no error.

        A model's line is often right up to one mark too many, and a part of it is more use than nothing.
        """
        if not self._nothing_behind:
            return None
        ends = [match.end() for match in TOKEN.finditer(text)][:-1]
        # Marks alone say nothing, nor does one word that begins a statement.
        parts = (text[:end] for end in reversed(ends) if any(map(str.isalnum, text[:end])))
        parts = (part for part in parts if not BEGINS.fullmatch(self._prefix + part))
        before = self._around.state
        balanced = (part for part in parts if not leaves_open(self._around.reader, before, self._prefix, part))
        for part in islice((part for part in balanced if not NO_END.search(part)), BEGINNINGS):
            line, state = self._line.read_with(part)
            if not self._line.stands(line, state, "", True) or self._line.adds_error([line], state, alone=True):
                continue
            # What is wrong in the line as it is typed excuses no beginning, and what the lines below leave unjudged,
            # those above may judge.
            if not self._line.adds_error([line], state):
                return [part], 0
        return None
