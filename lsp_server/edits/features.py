"""The evidence for proposals as rows of numbers, for a probability.

All numbers are counts, shares or lengths; none names a language, a file or a word.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.lessons import BELOW, balance
from lsp_server.edits.proposals import Evidence, Taught
from lsp_server.edits.rules import KINDS, Rule
from lsp_server.edits.token_lines import TokenLine, is_name, is_word, parse
from lsp_server.edits.trials import NAMES as TRIALS
from lsp_server.edits.trials import Trials
from lsp_server.edits.views import Around, View

_NEVER: Final = 99.0
_NAMES = [
    "where",
    "edits",
    "votes",
    "steps",
    "age",
    "age_step",
    "same_file",
    "distance",
    "likeness",
    "best_likeness",
    "candidates",
    "history",
    "share",
    "best_other",
    "places",
    "holes",
    "gone",
    "come",
    "length",
    "grows",
    "sites_narrow",
    "passed_narrow",
    "edited_narrow",
    "sites_wide",
    "passed_wide",
    "edited_wide",
    "balance",
    "balance_taught",
    "same_line",
    "stands",
    "known",
    "specific",
    "sites",
    "behind",
    "far",
    "last_age_share",
    "applies_other",
    "deeper",
    "lines",
    *TRIALS,
    "foreseen",
    "above",
    "below",
    "head",
    "indent",
    "onward",
    "stride",
    "between",
    "twins",
    "signs",
    "gone_names",
    "come_names",
]
RANKED: Final = ("likeness", "confirmed", "specific", "above", "below", "head", "far")
"""Features by which the places of a document are compared; of ``far`` less is better."""

FEATURES: Final = (*_NAMES, *(f"by_{kind}" for kind in KINDS), *(f"better_{name}" for name in RANKED))
HERE, ELSEWHERE, OTHER_FILE = 0.0, 1.0, 2.0
IN_A_ROW: Final = 0.7
"""So large a share of the newest edits is foretold where they are one like the other."""

EVERYWHERE: Final = 60
"""A rule with more places in a document does not look for any: it would match everywhere."""

NEWEST: Final = 4
"""Edits in the document whose surroundings are compared with those of the place."""

STEPS, _HELD, _FAILED, _CALL, _CONFIRMED, _SAME_FILE, _AGE, _FORESEEN = (
    FEATURES.index(name)
    for name in ("steps", "held", "failed", "by_call", "confirmed", "same_file", "age_step", "foreseen")
)
_SITES, _PASSED, _EDITED, _GONE_NAMES = (
    FEATURES.index(name) for name in ("sites_narrow", "passed_narrow", "edited_narrow", "gone_names")
)


def agreed(row: Sequence[float]) -> bool:
    """Whether two edits or more propose the same, each foretells another one, and none is contradicted."""
    return bool(row[STEPS] >= 2 and row[_HELD] >= 2 and row[_FAILED] == 0)


def proven(row: Sequence[float]) -> bool:
    """Whether two edits or more of one call propose the same, and each of them foretells another one.

    At the cursor 39 of 42 such texts were right, however rare the trees find them (thirteen repositories).
    """
    return bool(row[_CALL] >= 2 and row[_CONFIRMED] >= 2)


def is_near(row: Sequence[float]) -> bool:
    """Whether one of the edits that propose it stands in the same document."""
    return bool(row[_SAME_FILE])


def goes_on(row: Sequence[float]) -> bool:
    """Whether edits agree, the newest among them, and most of the newest ones were foretold: it is one of a row."""
    return agreed(row) and row[_AGE] == 0 and row[_FORESEEN] >= IN_A_ROW


def matches_everywhere(row: Sequence[float]) -> bool:
    """Whether even the narrowest rule that replaces a name would still change very many lines of the document, and the
    user passed as many of these as he changed: ``x`` to ``y``, which he meant at some places.

    At the cursor these are 7 of 1,255 offers at lines that change next, all right, and 91 of 467 at lines that the
    commit leaves, drawn from those that have the words of a recent edit (eight repositories of role ``edits-before``).
    """
    everywhere = row[_SITES] - row[_EDITED] > EVERYWHERE
    return bool(row[_GONE_NAMES]) and everywhere and row[_PASSED] >= row[STEPS]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proposal would be made.

    :param where: ``HERE`` at the cursor, ``ELSEWHERE`` in its document, or ``OTHER_FILE``.
    :param line: from 0. :param last: the line of the newest edit. :param sites: how many places were looked at.
    :param listed: whether the user asked for all places: that he passed it says nothing then.
    """

    where: float
    line: int
    last: int
    sites: int
    listed: bool = False


@dataclass(frozen=True)
class _LineContext:
    """A line and everything that its proposals are compared with.

    :param trials: of what was taught. :param likeness: of the line and each changed line, the newest first.
    :param foreseen: see :func:`trials.foreseen`. :param way: see :func:`_way`.
    :param signs: the share of the line's tokens that are neither names nor numbers. :param head: see :func:`rows`.
    """

    line: str
    target: TokenLine
    found: dict[str, Evidence]
    trials: Trials
    likeness: Sequence[float]
    view: View
    place: Place
    foreseen: float
    way: tuple[float, float]
    signs: float
    head: str


def rows(
    found: dict[str, Evidence], trials: Trials, view: View, place: Place, foreseen: float, head: str = ""
) -> list[list[float]]:
    """Return one row of :data:`FEATURES` for each proposal, in the order of ``found``.

    The places of the document are not compared yet; see :func:`compare`.

    :param foreseen: see :func:`trials.foreseen`. :param head: lines above that are compared too.
    """
    line = head + view.lines[place.line]
    target = parse(line)
    recent = trials.recent
    likeness = [_dice(source.lesson.words, target.words) for source in recent]
    signs = sum(not is_word(text) for text in target.texts) / max(1, len(target.texts))
    way = _way(recent, view, place)
    around = _LineContext(line, target, found, trials, likeness, view, place, foreseen, way, signs, head)
    return [_row(text, around) for text in found]


def compare(tables: Sequence[list[list[float]]]) -> None:
    """Put into the rows of all places of a document how many other places are better, by each of :data:`RANKED`."""
    for at, name in enumerate(RANKED, len(FEATURES) - len(RANKED)):
        column = FEATURES.index(name)
        sign = -1.0 if name == "far" else 1.0
        best = sorted(max(sign * row[column] for row in table) for table in tables if table)
        for table in tables:
            for row in table:
                row[at] = float(len(best) - bisect_right(best, sign * row[column]))


def _row(text: str, around: _LineContext) -> list[float]:
    line, target, found, recent, likeness = (
        around.line,
        around.target,
        around.found,
        around.trials.recent,
        around.likeness,
    )
    view, place = around.view, around.place
    evidence = found[text]
    after = "" if text == GONE else around.head + text
    result = parse(after)
    total = sum(len(e.edits) for e in found.values())
    sources = [recent[age] for age in evidence.edits]
    youngest = min(evidence.edits)
    here = [source for source in sources if source.uri == view.uri]
    others = [len(e.edits) for other, e in found.items() if other != text]
    newest_step = recent[0].step
    gone, come = _counted(target.texts, result.texts)
    fresh = [token for token in come if is_name(token)]
    narrow, wide = _support(evidence, view, place)
    return [
        place.where,
        len(evidence.edits),
        sum(map(len, evidence.kinds.values())),
        len({source.step for source in sources}),
        youngest,
        newest_step - max(source.step for source in sources),
        float(bool(here)),
        min((math.log1p(abs(source.line - place.line)) for source in here), default=_NEVER),
        max(likeness[age] for age in evidence.edits),
        max(likeness[:6], default=0.0),
        len(found),
        len(recent),
        len(evidence.edits) / max(1, total),
        max(others, default=0),
        evidence.places,
        evidence.holes,
        sum(map(len, gone)),
        sum(map(len, come)),
        len(target.texts),
        len(after) - len(line),
        *narrow,
        *wide,
        balance(result) - balance(target),
        min(abs(source.lesson.balance) for source in sources),
        float(any(source.lesson.old.texts == target.texts for source in sources)),
        float(bool(text.strip()) and all(map(view.index.times, text.split("\n")))),
        sum(map(view.index.knows, fresh)) / len(fresh) if fresh else -1.0,
        max((len("".join(rule.literals)) for rule, _ in evidence.rules), default=0),
        *_placed(text, result, here, around),
        around.signs,
        float(sum(map(is_name, gone))),
        float(len(fresh)),
        *(len(evidence.kinds.get(kind, ())) for kind in KINDS),
        *(0.0 for _ in RANKED),
    ]


def _placed(text: str, result: TokenLine, here: Sequence[Taught], around: _LineContext) -> list[float]:
    """Return the numbers about the place of a text, from ``sites`` to ``twins``.

    :param here: the edits that propose it and stand in the same document.
    """
    target, found, recent = around.target, around.found, around.trials.recent
    view, place, evidence = around.view, around.place, around.found[text]
    return [
        place.sites,
        float(place.line > place.last),
        math.log1p(abs(place.line - place.last)),
        sum(1 for age in range(min(5, len(recent))) if age in evidence.edits) / min(5, len(recent)),
        sum(1 for other, e in found.items() if other != text and 0 in e.edits),
        float(len(result.indent) - len(target.indent)) if text != GONE else 0.0,
        float(text.count("\n")) if text != GONE else -1.0,
        *around.trials.of(evidence),
        around.foreseen,
        *_surroundings(here[:NEWEST], target, view, place),
        *around.way,
        _between(evidence, view, place),
        float(view.index.times(view.lines[place.line])),
    ]


def _surroundings(
    sources: Sequence[Taught], target: TokenLine, view: View, place: Place
) -> tuple[float, float, float, float]:
    """Return how alike the lines above, the lines below and the heads of the blocks are, and how far apart indents.

    The most alike of the sources counts, each time.
    """
    if not sources:
        return -1.0, -1.0, -1.0, -1.0
    mine = view.around(place.line)
    theirs = [_around(source, view) for source in sources]
    above, below, head = (max(_dice(mine[part], one[part]) for one in theirs) for part in range(3))
    indent = min(abs(len(source.lesson.new.indent) - len(target.indent)) for source in sources)
    return above, below, head, float(indent)


def _around(source: Taught, view: View) -> Around:
    """Return what stands around an edit, without the lines that it inserted."""
    above, below, head = view.around(source.line)
    if source.lesson.new_text == GONE:
        return above, view.next_line(source.line - 1, 1), head
    inserted = source.lesson.new_text.count("\n") - source.lesson.old_text.count("\n")
    if inserted and source.lesson.side == BELOW:
        above = view.next_line(source.line - inserted, -1)
    elif inserted:
        below = view.next_line(source.line + inserted, 1)
    return above, below, head


def _way(recent: Sequence[Taught], view: View, place: Place) -> tuple[float, float]:
    """Return whether the place lies in the direction of the last two edits in the document, and how far these were."""
    lines: list[int] = []
    for source in recent:
        if source.uri == view.uri and source.line not in lines:
            lines.append(source.line)
        if len(lines) == 2:
            return float((lines[0] > lines[1]) == (place.line > lines[0])), math.log1p(abs(lines[0] - lines[1]))
    return -1.0, -1.0


def _between(evidence: Evidence, view: View, place: Place) -> float:
    """Return how many lines that the narrowest rule may change stand between the newest edit and the place."""
    ruled = [(len(rule.literals), number) for number, (rule, _) in enumerate(evidence.rules) if rule.literals]
    if not ruled:
        return -1.0
    if place.listed:
        return 0.0
    untouched = view.untouched(evidence.rules[max(ruled)[1]][0].literals)
    low, high = min(place.last, place.line), max(place.last, place.line)
    return float(max(0, bisect_left(untouched, high) - bisect_right(untouched, low)))


def _support(evidence: Evidence, view: View, place: Place) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return places, places passed by and places edited, for the narrowest and for the widest rule that agrees."""
    empty = (-1.0, -1.0, -1.0)
    sized = [(len(rule.literals), number) for number, (rule, _) in enumerate(evidence.rules) if rule.literals]
    if not sized:
        return empty, empty
    return (
        _counts(evidence.rules[max(sized)[1]][0], evidence, view, place),
        _counts(evidence.rules[min(sized)[1]][0], evidence, view, place),
    )


def _counts(rule: Rule, evidence: Evidence, view: View, place: Place) -> tuple[float, float, float]:
    sites, untouched = view.sites(rule.literals), view.untouched(rule.literals)
    lines = [taught.line for _, taught in evidence.rules if taught.uri == view.uri]
    low, high = (min(*lines, place.line), max(*lines, place.line)) if lines else (place.line, place.line)
    passed = max(0, bisect_left(untouched, high) - bisect_right(untouched, low))
    if low < place.line < high and place.line in untouched:
        passed -= 1
    passed = 0 if place.listed else passed
    return float(len(sites)), float(passed), float(len(sites) - len(untouched))


def _counted(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the tokens that only one of both lines holds."""
    a, b = set(old), set(new)
    return [token for token in old if token not in b], [token for token in new if token not in a]


def _dice(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / max(1, len(a) + len(b))
