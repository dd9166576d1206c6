"""How probable a proposal has to be to be offered, by its place and by what its edits have in common."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lsp_server.edits import assignments
from lsp_server.edits.changed_lines import is_block
from lsp_server.edits.features import ELSEWHERE, HERE, STEPS, Place, agreed, goes_on, is_near, matches_everywhere
from lsp_server.edits.lessons import Lesson
from lsp_server.edits.patterns import brings_words
from lsp_server.edits.places import CALLS
from lsp_server.edits.probability import BLOCKS
from lsp_server.edits.token_lines import is_name, parse

NONE: Final[Mapping[str, bool]] = MappingProxyType({})

IN_A_ROW_FROM: Final = 0.25
"""The least probability of lines that are inserted or deleted elsewhere, where edits go on (``features.goes_on``): from
there on 38 of 48 were right (sixteen repositories, judged by trees of others)."""

UNLIKE: Final = 3
"""From this number of edits on, their common pattern speaks against a line that it does not fit; of two, the third may
differ."""

UNLIKE_FROM: Final = {int(HERE): (0.85, 0.92), int(ELSEWHERE): (0.8, 0.8)}
"""The least probability of a text at such a line, with three edits and with more.

At the cursor, of 1,366 right offers at lines that change next 9 are lost, of 135 wrong ones there 13, and of 813 at
lines that stay 160; elsewhere 3 right and 6 wrong ones of 583 (fifteen repositories of role ``edits-before``)."""

COMMON_FROM: Final = {2: 0.6, 3: 0.3}
"""The least probability of a changed line elsewhere that a pattern of two edits fits, and one of three: from there on
149 of 178 and 180 of 199 were right (the same repositories)."""


@dataclass(frozen=True, slots=True)
class Level:
    """Which threshold counts for a proposal.

    :param number: of the judge's thresholds. :param agrees: whether edits agree, so far as that counts here.
    :param in_a_row: whether the lower threshold of rows of inserted or deleted lines counts.
    :param held: whether the names of the place speak against it, so that it is not offered however probable it is.
    :param common: number of edits whose common pattern makes the text; negative is the number of those behind the text
        whose common pattern the line does not fit (``patterns.misfit``).
    """

    number: int
    agrees: bool
    in_a_row: bool = False
    held: bool = False
    common: int = 0

    def least(self, thresholds: Sequence[Sequence[float]]) -> float:
        """Return the least probability of an offer."""
        if self.held:
            return math.inf
        if self.common <= -UNLIKE:
            return UNLIKE_FROM[self.number][self.common <= -1 - UNLIKE]
        if self.common > 0 and self.number == ELSEWHERE:
            return COMMON_FROM[min(self.common, max(COMMON_FROM))]
        return IN_A_ROW_FROM if self.in_a_row else thresholds[self.number][self.agrees]


def level(
    place: Place,
    row: Sequence[float],
    line: str,
    text: str,
    sources: Sequence[Lesson],
    common: int = 0,
    declared: Mapping[str, bool] = NONE,
) -> Level:
    """Return which threshold counts for a text of a line.

    Where two edits or more agree, and the place has none of the names that all their lines have and another shape
    than any of them, 1 of 11 offers was right (five repositories of role ``fit-edits``, 60 commits each). So
    nothing is offered elsewhere then, and at the cursor their agreement does not count.

    What an edit replaces tells a place by itself; what only brings words belongs to what stands there. So in a
    document that has none of these edits, all names are needed that the edited lines have in common, and in theirs
    that of the function, if all of them changed calls of one. So it is everywhere once its declaration was changed.

    A rule that would match everywhere is not offered either (``features.matches_everywhere``), unless a pattern of
    edits fits the whole line: 19 of 19 such texts were right, others 2 of 18 (two repositories of role
    ``edits-before`` had such). Nor is a change of an operator that assigns where it stands in something else
    (``assignments``).

    :param row: the features of the proposal. :param sources: what the edits that agree taught.
    :param common: see :class:`Level`.
    :param declared: functions whose declarations got parameters, and whether calls of them got arguments since.
    """
    names = frozenset(filter(is_name, frozenset.intersection(*(source.words for source in sources))))
    target = parse(line)
    strange = bool(names) and "\n" not in text and names.isdisjoint(target.words)
    strange = strange and row[STEPS] > 1 and all(source.old.kinds != target.kinds for source in sources)
    called = _called(sources)
    needed = called if called and called <= declared.keys() else names
    if is_near(row):
        followed = bool(called) and all(declared.get(name) for name in called)
        needed = called if row[STEPS] > 1 or followed else frozenset()
    held = (strange and place.where != HERE) or (not needed <= target.words and brings_words(target, text))
    held = held or (matches_everywhere(row) and common <= 0) or assignments.stand_otherwise(sources, line, text)
    if place.where == ELSEWHERE and is_block(text):
        return Level(BLOCKS, agreed(row), goes_on(row), held)
    return Level(int(place.where), agreed(row) and not strange, held=held, common=common)


def _called(sources: Sequence[Lesson]) -> frozenset[str]:
    """Return the name of the function, if all edits changed calls of one; else nothing."""
    names = {source.call.name if isinstance(source.call, CALLS) else "" for source in sources}
    return frozenset(names - {""}) if len(names) == 1 else frozenset()
