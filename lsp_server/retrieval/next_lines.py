"""Adds following lines to a suggestion, as far as the texts it is copied from agree on them.

A line is added while most of the copies have the same next line, the code stays inside the block that was begun, and
the document does not continue that way already. The first line is not changed.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from indexer.text.lines import TAB_COLUMNS, columns, leading_blanks
from indexer.text.tokens import token_ids
from lsp_server.retrieval.columns import Columns
from lsp_server.retrieval.matches import SourceText
from lsp_server.retrieval.ranker import Option, Ranked

AGREEMENT: Final = 0.6
"""Part of the weight of all copies that has to agree on the next line."""

ALONE: Final = 12
"""Tokens of agreement with the text before the cursor from which a single copy is enough."""

COPIES: Final = 24
"""Copies that are compared, at most; those with the longest agreement first."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A text that the first line is copied from, the line there, and how many positions it stands for."""

    text: SourceText
    line: int
    weight: float


def next_lines(ranked: Ranked, option: Option, limit: int) -> list[str]:
    """Return the lines after the option's first, without line ends, with the document's indentation.

    :param limit: lines at most.
    """
    copies = _copies(ranked, option)
    total = sum(copy.weight for copy in copies)
    cursor = ranked.cursor
    context = cursor.line_context
    present = {tuple(token_ids(line)) for line in context.after.lines[:8] if line.strip()}
    lines: list[str] = []
    while len(lines) < limit and copies:
        found = [(_line_after(ranked, copy, len(lines) + 1), copy) for copy in copies]
        votes: dict[tuple[int, str], float] = defaultdict(float)
        for line, copy in found:
            if line is not None:
                votes[line] += copy.weight
        best = max(votes, key=lambda line: (votes[line], line), default=None)
        # Less deep than the first line: the block that was begun is over.
        if best is None or votes[best] < AGREEMENT * total or best[0] < 0 or tuple(token_ids(best[1])) in present:
            break
        blanks = indentation(cursor.prefix, context.before.lines, cursor.indent + best[0])
        written = [cursor.prefix + option.text, *lines]
        lines.append(blanks + Columns(written[::-1], blanks).set(blanks, best[1]))
        copies = [copy for line, copy in found if line == best]
    return lines


def _copies(ranked: Ranked, option: Option) -> list[_Copy]:
    numbers, length = ranked.copies(option), ranked.matches.length
    if not numbers:
        return []
    longest = int(length[numbers].max())
    numbers = sorted((n for n in numbers if length[n] >= longest - 1), key=lambda n: -int(length[n]))
    if longest < ALONE and len(numbers) < 2:
        return []
    return [_Copy(*ranked.source(n), float(ranked.matches.weight[n])) for n in numbers[:COPIES]]


def _line_after(ranked: Ranked, copy: _Copy, number: int) -> tuple[int, str] | None:
    """Return a later line: columns deeper than the copied line, and its text; None where there is none."""
    lines = copy.text.lines
    at = copy.line + number
    if at >= len(lines) or (copy.text.current and at == ranked.cursor.line):
        return None
    body = lines[at].strip()
    return (_depth(lines[at]) - _depth(lines[copy.line]), body) if body else None


def _depth(text: str) -> int:
    return columns(leading_blanks(text))


def indentation(prefix: str, above: list[str], width: int) -> str:
    """Return blanks of a width, as tabs if the document indents by tabs.

    :param prefix, above: the cursor's line before the cursor, and the lines above it. :param width: in columns.
    """
    sample = next((line for line in (prefix, *reversed(above)) if line[:1] in (" ", "\t") and line.strip()), "")
    if sample[:1] == "\t":
        return "\t" * (width // TAB_COLUMNS) + " " * (width % TAB_COLUMNS)
    return " " * width
