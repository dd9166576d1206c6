"""A second look at the most probable proposals of a moment, next to each other.

The first probability knows one proposal at a time. Whether it is the right one depends on its rivals for the same line,
on the other places that are as probable, and on what the edits so far did to the tokens that it takes away or leaves
(:mod:`lsp_server.edits.fates`), and on how often its kinds of evidence were right about them
(:mod:`lsp_server.edits.records`). On 2,964 changed lines of six repositories that the first trees had not seen, each
judged by second trees that were fitted on others, 92 of 100 offers at the cursor are right at 39 % of the lines; by
the first probability alone at 25 %.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.fates import NAMES as FATES
from lsp_server.edits.fates import Fates
from lsp_server.edits.features import FEATURES as FIRST
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.records import COMPARED, Records
from lsp_server.edits.records import NAMES as RECORDS
from lsp_server.edits.rules import KINDS
from lsp_server.edits.token_lines import parse

TEXTS: Final = 2
"""Texts of a line elsewhere that are looked at again."""

TEXTS_HERE: Final = 6
"""The same for the line under the cursor."""

LOOKED_AT: Final = 12
"""Proposals of a moment that are looked at again."""

LIKELY: Final = 0.5
"""Places elsewhere are counted whose first probability is higher."""

MEAN_OF: Final = 5

_LINE: Final = ("probability", "rank_in_line", "rival", "texts", "history", "length", "growth")
_PLACES: Final = ("rank", "best_elsewhere", "mean_elsewhere", "likely_elsewhere", "sites")
_BY_KIND: Final = tuple(FIRST.index(f"by_{kind}") for kind in KINDS)

_ALL: Final = (*_LINE, *FATES, *RECORDS, "edited_above", "edited_below", *FIRST)

HERE: Final = (*_ALL, *(f"is_{kind}" for kind in KINDS), "kinds")
ELSEWHERE: Final = (*_ALL, *_PLACES)
"""Features at the cursor and elsewhere."""

NEIGHBOURS: Final = 3
"""Lines above and below of which those that were edited are counted."""


@dataclass(frozen=True)
class SoFar:
    """What the edits so far say of tokens and kinds of evidence.

    :param history: changed lines so far, at most ``COMPARED``.
    """

    fates: Fates
    records: Records
    history: int

    @classmethod
    def of(cls, counted: Sequence[Lesson], lessons: Sequence[Lesson]) -> "SoFar":
        """Return it for lessons, the newest first.

        :param counted: the lessons whose tokens are counted.
        """
        return cls(Fates(counted), Records(lessons), min(len(counted), COMPARED))


@dataclass(frozen=True, slots=True)
class Looked:
    """One proposal.

    :param place: number of its line among the candidates of the moment. :param probability: the first one.
    :param rank: among the texts of its line, 0 is the most probable. :param rival: the best other text's probability.
    :param texts: how many there are of its line. :param row: its row of first features.
    :param neighbours: lines above and below that were edited.
    """

    place: int
    line: str
    text: str
    probability: float
    rank: int
    rival: float
    texts: int
    row: Sequence[float]
    neighbours: tuple[int, int]


def looked(
    place: int,
    line: str,
    texts: Sequence[tuple[str, float, Sequence[float]]],
    most: int,
    neighbours: tuple[int, int] = (0, 0),
) -> list[Looked]:
    """Return the most probable proposals of one line.

    :param texts: all its texts, each with its first probability and its row of features.
    :param most: number of texts that are judged, at most. :param neighbours: lines above and below that were edited.
    """
    order = sorted(range(len(texts)), key=lambda number: -texts[number][1])
    found = []
    for rank, number in enumerate(order[:most]):
        text, probability, row = texts[number]
        rival = texts[order[1 if rank == 0 else 0]][1] if len(order) > 1 else 0.0
        found.append(Looked(place, line, text, probability, rank, rival, len(texts), row, neighbours))
    return found


def edited_around(line: int, edited: Collection[int]) -> tuple[int, int]:
    """Return how many of the lines above and below a line were edited."""
    return (
        sum(line - away in edited for away in range(1, NEIGHBOURS + 1)),
        sum(line + away in edited for away in range(1, NEIGHBOURS + 1)),
    )


def rows_here(proposals: Sequence[Looked], so_far: SoFar) -> list[list[float]]:
    """Return one row of :data:`HERE` for each proposal."""
    made = []
    for one in proposals:
        kinds = [float(one.row[at] > 0) for at in _BY_KIND]
        made.append([*_by_itself(one, so_far), *kinds, sum(kinds)])
    return made


def rows_elsewhere(
    proposals: Sequence[Looked], so_far: SoFar, sites: int, wanted: Collection[int] | None = None
) -> list[list[float]]:
    """Return one row of :data:`ELSEWHERE` for each proposal.

    :param proposals: the most probable first. :param sites: lines looked at.
    :param wanted: the numbers of the proposals that get a row, if not all.
    """
    made = []
    for rank, one in enumerate(proposals):
        if wanted is not None and rank not in wanted:
            continue
        others = [other.probability for other in proposals if other.line != one.line]
        places = (
            float(rank),
            others[0] if others else 0.0,
            sum(others[:MEAN_OF]) / len(others[:MEAN_OF]) if others else 0.0,
            float(sum(other > LIKELY for other in others)),
            float(sites),
        )
        made.append([*_by_itself(one, so_far), *places])
    return made


def _by_itself(one: Looked, so_far: SoFar) -> list[float]:
    kinds = [kind for kind, at in zip(KINDS, _BY_KIND, strict=True) if one.row[at] > 0]
    records = so_far.records.of(one.line, one.text, kinds)
    return [*_of_line(one, so_far.history), *_fates(one, so_far.fates), *records, *map(float, one.neighbours), *one.row]


def _of_line(one: Looked, history: int) -> tuple[float, ...]:
    length = len(one.line)
    growth = (0 if one.text == GONE else len(one.text)) - length
    return (one.probability, float(one.rank), one.rival, float(one.texts), float(history), float(length), float(growth))


def _fates(one: Looked, fates: Fates) -> tuple[float, ...]:
    return fates.of(parse(one.line).words, parse("" if one.text == GONE else one.text).words)
