"""Adds following lines to a suggestion, as far as the texts it is copied from agree on them.

A line is added while most of the copies have the same next line, the code stays inside the block that was begun, and
the document does not continue that way already. The first line is not changed.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from indexer.text.lines import columns, leading_blanks
from indexer.text.tokens import token_ids
from lsp_server.fitting.indentation import blanks_of, tabbed, unit_of
from lsp_server.retrieval.columns import Columns
from lsp_server.retrieval.matches import SourceText
from lsp_server.retrieval.ranker import Option, Ranked

AGREEMENT: Final = 0.6
"""Part of the weight of all copies that has to agree on the next line."""

ALONE: Final = 12
"""Tokens of agreement with the text before the cursor from which a single copy is enough."""

BELOW: Final = 8
"""Lines below the cursor that a suggestion does not repeat."""

UNIT_LINES: Final = 60
"""Lines on either side of a copied line that tell with what its text is indented."""

COPIES: Final = 24
"""Copies that are compared, at most; those with the longest agreement first."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A text that the first line is copied from, the line there, and how many positions it stands for."""

    text: SourceText
    line: int
    weight: float


def next_lines(ranked: Ranked, option: Option, limit: int, blanks: str, unit: str | None) -> list[str]:
    """Return the lines after the option's first, without line ends, indented as the document is.

    :param limit: lines at most. :param blanks: those before the first line.
    :param unit: the blanks of one level in the document; None: as in the copied text.
    """
    copies = _copies(ranked, option)
    total = sum(copy.weight for copy in copies)
    cursor = ranked.cursor
    below = cursor.line_context.after.lines[:BELOW]
    lines: list[str] = []
    while len(lines) < limit and copies:
        found = [(_line_after(ranked, copy, len(lines) + 1, unit), copy) for copy in copies]
        votes: dict[tuple[str, str], float] = defaultdict(float)
        for line, copy in found:
            if line is not None:
                votes[line] += copy.weight
        best = max(votes, key=lambda line: (votes[line], line), default=None)
        if best is None or votes[best] < AGREEMENT * total:
            break
        indent = blanks + best[0]
        if _stands_below(indent, best[1], below):
            break
        written = [cursor.prefix + option.text, *lines]
        body = cursor.line_context.style(cursor.document.language).set(indent, best[1])
        lines.append(indent + Columns(written[::-1], indent).set(indent, body))
        copies = [copy for line, copy in found if line == best]
    return lines


def source_unit(ranked: Ranked, option: Option) -> str | None:
    """Return the blanks of one level in the text that an option is copied from."""
    text, line = ranked.source(option.match)
    return _unit(text, line)


def _stands_below(blanks: str, body: str, below: list[str]) -> bool:
    """Return whether a line stands below the cursor already, at the same depth; a closing mark may do so."""
    ids = token_ids(body)
    if len(ids) < 2:
        return False
    depth = columns(blanks)
    return any(_depth(line) == depth and token_ids(line) == ids for line in below if line.strip())


def _copies(ranked: Ranked, option: Option) -> list[_Copy]:
    numbers, length = ranked.copies(option), ranked.matches.length
    if not numbers:
        return []
    longest = int(length[numbers].max())
    numbers = sorted((n for n in numbers if length[n] >= longest - 1), key=lambda n: -int(length[n]))
    if longest < ALONE and len(numbers) < 2:
        return []
    return [_Copy(*ranked.source(n), float(ranked.matches.weight[n])) for n in numbers[:COPIES]]


def _line_after(ranked: Ranked, copy: _Copy, number: int, unit: str | None) -> tuple[str, str] | None:
    """Return a later line: its blanks beyond those of the copied line, and its text.

    None where there is none, or where the line is less deep: the block that was begun is over.
    """
    lines = copy.text.lines
    at = copy.line + number
    if at >= len(lines) or (copy.text.current and at == ranked.cursor.line):
        return None
    body = lines[at].strip()
    step = _depth(lines[at]) - _depth(lines[copy.line])
    if not body or step < 0:
        return None
    if step == 0:
        return "", body
    source = _unit(copy.text, copy.line)
    wanted = "\t" if tabbed(ranked.cursor.document.language, lines[at]) else unit or source or "    "
    return blanks_of(step, source, wanted), body


def _unit(text: SourceText, line: int) -> str | None:
    """Return the blanks of one level in a text; the lines around ``line`` tell."""
    if line not in text.units:
        text.units[line] = unit_of(text.lines[max(0, line - UNIT_LINES) : line + UNIT_LINES])
    return text.units[line]


def _depth(text: str) -> int:
    return columns(leading_blanks(text))
