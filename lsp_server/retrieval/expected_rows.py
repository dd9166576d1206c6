"""The row that the document itself asks for at a cursor, by a rule that the gate does not know.

Two rules make such rows: the order of a list (``declared_order``), and the form of the rows above (``repeated_form``).
Behind rows that stood there when the document was opened people often write something else: there the order of a list
says nothing, and the form of the rows above less.
"""

from collections.abc import Sequence
from typing import Final

from indexer.text.lines import leading_blanks
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.cursor import CursorContext, LineContext
from lsp_server.retrieval.declared_order import listed_row
from lsp_server.retrieval.matches import DerivedMatches, ExpectedRow, NextRow, as_derived
from lsp_server.retrieval.repeated_form import repeated_row

AGREEING: Final = 12
"""As many tokens before the cursor count as equal, so that the row is among the candidates."""


class ExpectedRows:
    """Finds the expected row, and keeps what does not change while one types in a line."""

    def __init__(self) -> None:
        self._listed: tuple[object, ExpectedRow | None] = (None, None)
        self._new: tuple[object, bool] = (None, False)

    def at(self, cursor: CursorContext, opened: Sequence[str]) -> tuple[ExpectedRow, DerivedMatches] | None:
        """Return the expected row and its match; None where there is none that goes on from what is typed.

        :param opened: the document's lines when it was opened.
        """
        repeated = repeated_row(cursor, lambda row: self._is_new(cursor.line_context, row, opened))
        for row in (self._listed_row(cursor, opened), repeated):
            match = _as_match(cursor, row) if row is not None else None
            if row is not None and match is not None:
                return row, match
        return None

    def _listed_row(self, cursor: CursorContext, opened: Sequence[str]) -> ExpectedRow | None:
        context, blanks = cursor.line_context, leading_blanks(cursor.prefix)
        if self._listed[0] != (context, blanks):
            found = listed_row(context, blanks)
            if found is not None and not self._is_new(context, found.row, opened):
                found = None
            self._listed = (context, blanks), found
        return self._listed[1]

    def _is_new(self, context: LineContext, row: int, opened: Sequence[str]) -> bool:
        if self._new[0] != (context, row):
            self._new = (context, row), _is_new(context, row, opened)
        return self._new[1]


def _is_new(context: LineContext, row: int, opened: Sequence[str]) -> bool:
    """Return whether a row and the line above it stand in the document more often than when it was opened."""
    above, below = context.before.lines, context.after.lines
    pair = [line.strip() for line in above[max(0, row - 1) : row + 1]]

    def count(lines: Sequence[str]) -> int:
        return sum(
            one.strip() == pair[-1] and (number == 0 or lines[number - 1].strip() == pair[0])
            for number, one in enumerate(lines)
        )

    return count(above) + count(below) > count(opened)


def _as_match(cursor: CursorContext, row: ExpectedRow) -> DerivedMatches | None:
    """Return a row as a match of the cursor; None where it does not go on from what is typed."""
    number = len(cursor.readings) - 1
    reading = cursor.readings[number]
    typed = len(reading.typed)
    spans = [found.span() for found in TOKEN.finditer(row.text)]
    tokens = [row.text[slice(*span)] for span in spans]
    if typed >= len(tokens) or tokens[:typed] != TOKEN.findall(cursor.prefix)[:typed]:
        return None
    if not tokens[typed].startswith(reading.partial) or tokens[typed] == reading.partial:
        return None
    rest = row.text[spans[typed - 1][1] if typed else 0 :]
    return as_derived(cursor.line_context, [NextRow(number, typed, row.row, rest, max(typed, AGREEING))])
