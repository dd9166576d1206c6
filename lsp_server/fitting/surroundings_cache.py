"""Reads what stands around cursors, and keeps it while one types.

Only some hundred lines on either side are read: a key costs the reading of one line, a new line that of one more.
"""

import re
from dataclasses import replace
from typing import Final

from indexer.languages.grammars import language_in
from indexer.text.lines import lines_of, unify_line_ends
from lsp_server.fitting.mark_counts import MarkCounts
from lsp_server.fitting.marks import START, Demand, LineReader, State, opened, rules_of
from lsp_server.fitting.outer_blocks import far_conditions, outer_directives, outer_ends, outer_state
from lsp_server.fitting.spans import open_span
from lsp_server.fitting.surroundings import Surroundings
from lsp_server.types import Document

LINES_ABOVE: Final = 60
"""Lines above the cursor that are read, at least; up to twice as many, so that the first one seldom changes."""

LINES_BELOW: Final = 75
"""Lines below the cursor that are read, at most; reading ends where a block at the left margin is closed."""

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
            document.language,
            above,
            below,
            states,
            state,
            demands,
            demand_rows=rows,
            in_code=in_code,
            complete=complete,
            from_start=first == 0,
            before=begun,
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
