"""Carries a suggestion on over the following lines, as far as the places it was copied from agree.

A line is added while most of the evidence says the same, the code stays inside the block that was begun, and the
document does not go on that way already. This module adds whole lines only and changes nothing in the first.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from indexer.text.lines import TAB_COLUMNS, columns, leading_blanks
from indexer.text.tokens import token_ids
from lsp_server.retrieval.columns import Columns
from lsp_server.retrieval.ranker import Option, Ranked

AGREEMENT: Final = 0.6
"""Part of the evidence that has to say the same next line."""

ALONE: Final = 12
"""Tokens of agreement with the text before the cursor from which one place alone may carry on."""

VOTERS: Final = 24
"""Places that are asked at most, those with the longest agreement first."""


@dataclass(frozen=True, slots=True)
class _Voter:
    """A place that the first line is copied from: its origin and line, and how many places it stands for."""

    origin: int
    line: int
    weight: float


def carry_on(ranked: Ranked, option: Option, limit: int) -> list[str]:
    """The lines after the option's first, without line ends, with the document's indentation.

    :param limit: how many at most.
    """
    voters = _voters(ranked, option)
    total = sum(voter.weight for voter in voters)
    scene = ranked.scene
    taken = {tuple(token_ids(line)) for line in scene.frame.after.lines[:8] if line.strip()}
    lines: list[str] = []
    while len(lines) < limit and voters:
        said = [(_line_after(ranked, voter, len(lines) + 1), voter) for voter in voters]
        votes: dict[tuple[int, str], float] = defaultdict(float)
        for line, voter in said:
            if line is not None:
                votes[line] += voter.weight
        best = max(votes, key=lambda line: (votes[line], line), default=None)
        # Less deep than the first line: the block that was begun is over.
        if best is None or votes[best] < AGREEMENT * total or best[0] < 0 or tuple(token_ids(best[1])) in taken:
            break
        blanks = indentation(scene.prefix, scene.frame.before.lines, scene.indent + best[0])
        written = [scene.prefix + option.text, *lines]
        lines.append(blanks + Columns(written[::-1], blanks).set(blanks, best[1]))
        voters = [voter for line, voter in said if line == best]
    return lines


def _voters(ranked: Ranked, option: Option) -> list[_Voter]:
    places = ranked.places
    rows = ((ranked.candidates.members == option.candidate) & ~places.made).nonzero()[0].tolist()
    if not rows:
        return []
    longest = int(places.length[rows].max())
    rows = sorted((row for row in rows if places.length[row] >= longest - 1), key=lambda row: -int(places.length[row]))
    if longest < ALONE and len(rows) < 2:
        return []
    return [_Voter(int(places.origin[row]), int(places.line[row]), float(places.weight[row])) for row in rows[:VOTERS]]


def _line_after(ranked: Ranked, voter: _Voter, number: int) -> tuple[int, str] | None:
    """A later line: columns deeper than the voter's own line, and its text; None where there is none."""
    source = ranked.origins.origin(voter.origin)
    at = voter.line + number
    if at >= len(source.lines) or (source.current and at == ranked.scene.line):
        return None
    text = source.lines[at]
    body = text.strip()
    return (_depth(text) - _depth(source.lines[voter.line]), body) if body else None


def _depth(text: str) -> int:
    return columns(leading_blanks(text))


def indentation(prefix: str, above: list[str], width: int) -> str:
    """Blanks of a width, as tabs if the document indents by tabs.

    :param prefix, above: the cursor's line before the cursor, and the lines above it. :param width: in columns.
    """
    sample = next((line for line in (prefix, *reversed(above)) if line[:1] in (" ", "\t") and line.strip()), "")
    if sample[:1] == "\t":
        return "\t" * (width // TAB_COLUMNS) + " " * (width % TAB_COLUMNS)
    return " " * width
