"""What stands around a cursor's line: what is open there, and what the lines below close.

Only some hundred lines on either side are read, and what was read is kept while one types: a key costs the reading of
one line, a new line that of one more.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from indexer.text.lines import columns, leading_blanks, lines_of, unify_line_ends
from lsp_server.fitting.indentation import unit_of
from lsp_server.fitting.marks import START, Demand, LineReader, State, disagreement, rules_of
from lsp_server.types import Document

LINES_ABOVE: Final = 100
"""Lines above the cursor that are read, at least; up to twice as many, so that the first one seldom changes."""

LINES_BELOW: Final = 150
"""Lines below the cursor that are read, at most; reading ends where a block at the left margin is closed."""


@dataclass(frozen=True)
class Surroundings:
    """The lines around a cursor's line.

    :param above, below: the lines that were read, nearest last and nearest first.
    :param states: what is open behind each line of ``above``. :param state: the same at the cursor's line.
    :param demands: what the lines below close of it. :param complete: whether nothing more is closed below these.
    :param from_start: whether ``above`` begins with the document.
    """

    language: str
    above: list[str]
    below: list[str]
    states: list[State]
    state: State
    demands: list[Demand]
    complete: bool
    from_start: bool

    @cached_property
    def reader(self) -> LineReader:
        """A reader of the document's language."""
        return LineReader(rules_of(self.language))

    def cost(self, state: State) -> int:
        """Return how badly the lines below agree with a state, see :func:`marks.disagreement`."""
        return disagreement(state, self.demands, self.complete)

    def closed_below(self, span: int | str) -> bool:
        """Return whether the lines below end a string or comment that is open at the cursor.

        :param span: its number, or the word that ends a heredoc. Where the same mark begins and ends it, the lines
            below hold an odd number of them.
        """
        if isinstance(span, str):
            return any(line.strip() == span for line in self.below)
        begin, end = self.reader.rules.span_ends[span]
        if begin.pattern == end.pattern.removeprefix(r"(?<!\\)"):
            return sum(len(end.findall(line)) for line in self.below) % 2 == 1
        for line in self.below:
            ends, begins = end.search(line), begin.search(line)
            if ends or begins:
                return ends is not None and (begins is None or ends.start() <= begins.start())
        return False

    @cached_property
    def cost_without(self) -> int:
        """The cost of the document without the cursor's line."""
        return self.cost(self.state)

    @cached_property
    def states_below(self) -> list[State]:
        """What is open before each line of ``below`` if the cursor's line changes nothing of it."""
        states = [self.state]
        for line in self.below[:-1]:
            states.append(self.reader.read(line, states[-1]))
        return states

    @cached_property
    def unit(self) -> str | None:
        """The blanks of one level, see :func:`indentation.unit_of`."""
        return unit_of(self.above) or unit_of(self.below)


class SurroundingsCache:
    """Makes surroundings, and keeps those of the last cursor in each document. For one thread."""

    def __init__(self, size: int = 16) -> None:
        self._kept: dict[str, tuple[str, str, Surroundings]] = {}
        self._states: dict[str, tuple[int, list[str], list[State]]] = {}
        self._size = size

    def at(self, document: Document, start: int, end: int) -> Surroundings:
        """Return what stands around a line.

        :param start, end: offsets of the line's start, and of its end without the line end.
        """
        text = document.text
        before, after = text[:start], text[end:]
        kept = self._kept.pop(document.uri, None)
        if kept is None or kept[0] != before or kept[1] != after or kept[2].language != document.language:
            old = kept[2] if kept is not None and kept[1] == after and kept[2].language == document.language else None
            kept = (before, after, self._made(document, before, after, old))
        self._kept[document.uri] = kept
        while len(self._kept) > self._size:
            forgotten = next(iter(self._kept))
            del self._kept[forgotten]
            self._states.pop(forgotten, None)
        return kept[2]

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._kept.pop(uri, None)
        self._states.pop(uri, None)

    def _made(self, document: Document, before: str, after: str, old: Surroundings | None) -> Surroundings:
        rules = rules_of(document.language)
        first, above = _lines_above(before)
        states = self._states_of(document, first, above)
        state = states[-1] if states else START
        if old is not None:
            return replace(old, above=above, states=states, state=state, from_start=first == 0)
        below, entire = _lines_below(after)
        demands: list[Demand] = []
        reader, found = LineReader(rules, demands), replace(START, span=state.span, heredoc=state.heredoc)
        complete = entire
        for line in below:
            found = reader.read(line, found)
            if demands and demands[-1].indent == 0 and found.code is None:
                complete = True
                break
        return Surroundings(document.language, above, below, states, state, demands, complete, first == 0)

    def _states_of(self, document: Document, first: int, above: list[str]) -> list[State]:
        """Return the state behind each line, reading only what is new since the last time."""
        known_first, lines, states = self._states.get(document.uri, (-1, [], []))
        same = 0
        if known_first == first:
            limit = min(len(lines), len(above))
            same = limit if lines[:limit] == above[:limit] else next(n for n in range(limit) if lines[n] != above[n])
        states = states[:same]
        # What closes more than was read to be open closes something above the first line: no fault.
        reader = LineReader(rules_of(document.language), [])
        state = states[-1] if states else START
        for line in above[same:]:
            state = reader.read(line, state)
            states.append(state)
        self._states[document.uri] = (first, above, states)
        return states


def _lines_above(before: str) -> tuple[int, list[str]]:
    """Return the number of the first line that is read, and the lines from it on."""
    if "\r" in before:
        before = unify_line_ends(before)
    total = before.count("\n")
    first = max(0, (total - LINES_ABOVE) // LINES_ABOVE * LINES_ABOVE)
    at = len(before)
    for _ in range(total - first):
        at = before.rfind("\n", 0, at)
    start = before.rfind("\n", 0, at) + 1 if first else 0
    lines = before[start:].split("\n")
    return first, lines[:-1]


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
