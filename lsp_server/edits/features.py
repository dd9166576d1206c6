"""The evidence for proposals as rows of numbers, for a probability.

All numbers are counts, shares or lengths; none names a language, a file or a word.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.lessons import balance
from lsp_server.edits.proposals import Evidence, Taught
from lsp_server.edits.rules import KINDS, Rule
from lsp_server.edits.token_lines import TokenLine, is_name, parse
from lsp_server.edits.views import View

_NEVER: Final = 99.0
TRIED_SOURCES: Final = 4
"""Edits that agree on a text and are tried on earlier lines, the newest."""

TRIED_ON: Final = 16
"""Earlier changed lines that an edit is tried on, the newest."""

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
    "held",
    "failed",
    "failed_narrow",
    "held_share",
]
_NARROWNESS: Final = {kind: number for number, kind in enumerate(sorted(KINDS, key=lambda kind: kind[-2:]))}
FEATURES: Final = (*_NAMES, *(f"by_{kind}" for kind in KINDS))
HERE, ELSEWHERE, OTHER_FILE = 0.0, 1.0, 2.0
_STEPS, _HELD, _FAILED = (FEATURES.index(name) for name in ("steps", "held", "failed"))


def agreed(row: Sequence[float]) -> bool:
    """Whether two edits or more propose the same, each foretells another one, and none is contradicted."""
    return bool(row[_STEPS] >= 2 and row[_HELD] >= 2 and row[_FAILED] == 0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proposal would be made.

    :param where: ``HERE`` at the cursor, ``ELSEWHERE`` in its document, or ``OTHER_FILE``.
    :param line: from 0. :param last: the line of the newest edit. :param sites: how many places were looked at.
    """

    where: float
    line: int
    last: int
    sites: int


@dataclass(frozen=True)
class _LineContext:
    """A line and everything that its proposals are compared with.

    :param recent: what was taught, the newest first. :param likeness: of the line and each of these.
    """

    line: str
    target: TokenLine
    found: dict[str, Evidence]
    recent: Sequence[Taught]
    likeness: Sequence[float]
    view: View
    place: Place


def rows(
    line: str, found: dict[str, Evidence], history: Sequence[Taught], view: View, place: Place
) -> list[list[float]]:
    """Return one row of :data:`FEATURES` for each proposal, in the order of ``found``."""
    target = parse(line)
    words = frozenset(target.texts)
    recent = list(reversed(history))
    likeness = [_dice(source.lesson.words, words) for source in recent]
    around = _LineContext(line, target, found, recent, likeness, view, place)
    return [_row(text, around) for text in found]


def _row(text: str, around: _LineContext) -> list[float]:
    line, target, found, recent, likeness = around.line, around.target, around.found, around.recent, around.likeness
    view, place = around.view, around.place
    evidence = found[text]
    result = parse("" if text == GONE else text)
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
        (0 if text == GONE else len(text)) - len(line),
        *narrow,
        *wide,
        balance(result) - balance(target),
        min(abs(source.lesson.balance) for source in sources),
        float(any(source.lesson.old.texts == target.texts for source in sources)),
        float(bool(text.strip()) and f"\n{text}\n" in view.text),
        sum(token in view.text for token in fresh) / len(fresh) if fresh else -1.0,
        max((len("".join(rule.literals)) for rule, _ in evidence.rules), default=0),
        place.sites,
        float(place.line > place.last),
        math.log1p(abs(place.line - place.last)),
        sum(1 for age in range(min(5, len(recent))) if age in evidence.edits) / min(5, len(recent)),
        sum(1 for other, e in found.items() if other != text and 0 in e.edits),
        float(len(result.indent) - len(target.indent)) if text != GONE else 0.0,
        float(text.count("\n")) if text != GONE else -1.0,
        *_trials(evidence, recent),
        *(len(evidence.kinds.get(kind, ())) for kind in KINDS),
    ]


def _trials(evidence: Evidence, recent: Sequence[Taught]) -> tuple[float, float, float, float]:
    """Return how often the rules that agree would have been right and wrong about earlier changed lines.

    The third number counts wrong texts of the narrowest rule alone, the fourth is the share of right ones.
    """
    held = failed = failed_narrow = 0
    for age in sorted(evidence.edits)[:TRIED_SOURCES]:
        source = recent[age]
        kinds = {kind for kind, edits in evidence.kinds.items() if age in edits}
        narrow = max(kinds, key=_NARROWNESS.__getitem__)
        for other in recent[:TRIED_ON]:
            if other.lesson is source.lesson:
                continue
            effects = source.lesson.effects(other.lesson.old_text)
            texts = {effect.text for effect in effects if effect.kind in kinds}
            right = other.lesson.new_text in texts
            held += right
            failed += bool(texts) and not right
            failed_narrow += any(e.kind == narrow and e.text != other.lesson.new_text for e in effects)
    return float(held), float(failed), float(failed_narrow), held / (held + failed) if held + failed else -1.0


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
    return float(len(sites)), float(passed), float(len(sites) - len(untouched))


def _counted(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the tokens that only one of both lines holds."""
    a, b = set(old), set(new)
    return [token for token in old if token not in b], [token for token in new if token not in a]


def _dice(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / max(1, len(a) + len(b))
