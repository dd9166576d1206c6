"""Makes figures from many scored answers: overall, by group, and differences between systems.

Groups are kind of cursor, kind of text, novelty, language and directory. The figures leave out moved lines, which their
authors did not type; these are a group of their own. The result is plain data for JSON and holds no text of any case.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.intervals import Bootstrap, Column, calibration, trade_off
from finetune.evaluation.metrics import ScoredAnswer

COVERAGE: Final = 0.30
"""The coverage at which the report gives the precision."""

DIRECTORIES: Final = 12
"""Directories with figures of their own, those with the most cases; the others are one group."""

OTHERS: Final = "(others)"

_LEAST_SHOWN: Final = 10
"""The curve starts at this number of suggestions, since the share of right ones is unsteady among fewer."""

_POINTS: Final = 150
"""Points of the curve, about."""

Of = Callable[[ScoredAnswer], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """A ratio of two sums over cases.

    :param share: ``top`` counts some of the things that ``bottom`` counts.
    """

    label: str
    top: Of
    bottom: Of
    share: bool = True


def _start(one: ScoredAnswer) -> float:
    return one.kind == "start"


def _within(one: ScoredAnswer) -> float:
    return one.kind != "start"


MEASURES: Final[dict[str, Measure]] = {
    "exact_start": Measure("exact rest of line, at line start", lambda o: o.exact and _start(o), _start),
    "exact_within": Measure("exact rest of line, within the line", lambda o: o.exact and _within(o), _within),
    "exact": Measure("exact rest of line", lambda o: o.exact, lambda o: 1),
    "among_three": Measure("exact, one of up to three", lambda o: o.among, lambda o: 1),
    "similarity": Measure("edit similarity", lambda o: o.similarity, lambda o: 1, share=False),
    "names_exact": Measure("identifiers exact", lambda o: o.names_exact and o.names > 0, lambda o: o.names > 0),
    "names_f1": Measure("identifiers F1", lambda o: o.names_f1 * (o.names > 0), lambda o: o.names > 0, share=False),
    "lines_exact": Measure(
        "suggestions of several lines: all right",
        lambda o: o.exact and 0 < o.lines == o.lines_right,
        lambda o: o.lines > 0,
    ),
    "lines_right": Measure(
        "suggestions of several lines: later lines right", lambda o: o.lines_right, lambda o: o.lines, share=False
    ),
    "coverage": Measure("shown automatically", lambda o: bool(o.shown), lambda o: 1),
    "precision": Measure("right, of those shown", lambda o: o.right, lambda o: bool(o.shown)),
    "precision_whole": Measure("right in all lines, of those shown", lambda o: o.whole, lambda o: bool(o.shown)),
    "dismissed": Measure(
        "not usable, of those shown", lambda o: bool(o.shown) and not o.usable, lambda o: bool(o.shown)
    ),
    "saved": Measure("characters saved", lambda o: o.saved, lambda o: o.characters, share=False),
}
"""All figures, in the order of the report."""

MEANINGS: Final = {
    "exact": "The first line of the best suggestion is the rest of the author's line, apart from blanks at the end.",
    "edit similarity": "1 - edit distance / length of the longer text; 0 without a suggestion.",
    "identifiers": "Names in the rest of the line, without keywords and strings; only lines with names count.",
    "several lines": "Suggestions of several lines, compared with the lines that the author added next.",
    "shown automatically": "Cursors at which a suggestion would be shown during typing, after gate and display rules.",
    "not usable": "The first token of the shown suggestion is wrong, so no part of it can be accepted.",
    "characters saved": "Share of the characters in the rests of lines; accepting a suggestion costs one key press.",
    "moved": "Lines that the same commit deleted elsewhere. Their authors did not type them, so they count apart.",
}
"""What the figures mean, for the legend."""


def summarise(systems: dict[str, list[ScoredAnswer]], seed: int) -> dict[str, Any]:
    """Return the figures of every system and the differences between systems.

    :param systems: the scored answers of each system, in the same order of cases.
    """
    first = next(iter(systems.values()))
    bootstrap = Bootstrap([one.path for one in first], seed)
    tables = {name: _Table(answers, bootstrap) for name, answers in systems.items()}
    groups = _groups(first)
    counted = Counter(one.kind for one in first if not one.moved)
    return {
        "cases": sum(counted.values()),
        "cases_by_kind": dict(sorted(counted.items())),
        "files": len({one.path for one in first}),
        "verbatim": sum(one.verbatim and not one.moved for one in first),
        "moved": sum(one.moved for one in first),
        "systems": {name: _system(table, groups, first) for name, table in tables.items()},
        "differences": _differences(tables, groups["all"]["all"]),
    }


def exact_ratio(one: Sequence[ScoredAnswer], other: Sequence[ScoredAnswer], seed: int) -> dict[str, Any]:
    """Return how many times more often one system is exact than another, at line starts and within lines."""
    bootstrap = Bootstrap([answer.path for answer in one], seed)
    found = {}
    for name in ("exact_start", "exact_within"):
        hits = (np.array([float(MEASURES[name].top(a)) * (not a.moved) for a in side]) for side in (one, other))
        found[name] = bootstrap.ratio(*hits).as_dict()
    return found


class _Table:
    """The columns of one system's measures."""

    def __init__(self, answers: Sequence[ScoredAnswer], bootstrap: Bootstrap) -> None:
        self.answers = answers
        self.bootstrap = bootstrap
        self.columns: dict[str, tuple[Column, Column]] = {
            name: (
                np.array([float(measure.top(one)) for one in answers]),
                np.array([float(measure.bottom(one)) for one in answers]),
            )
            for name, measure in MEASURES.items()
        }

    def figures(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        """Return every measure over the cases of a mask."""
        found = {
            name: self.bootstrap.ratio(top * mask, bottom * mask, share=MEASURES[name].share).as_dict()
            for name, (top, bottom) in self.columns.items()
        }
        return {"cases": int(mask.sum()), **found}


def _system(
    table: _Table, groups: dict[str, dict[str, NDArray[np.bool_]]], first: Sequence[ScoredAnswer]
) -> dict[str, Any]:
    inside = groups["all"]["all"]
    counted = [one for one, kept in zip(table.answers, inside, strict=True) if kept]
    answered = [one for one in counted if one.answered]
    probability = np.array([one.probability for one in answered])
    right = np.array([one.exact for one in answered], dtype=bool)
    error, bins = calibration(probability, right)
    curve = trade_off(probability, right, max(1, len(counted)))
    moved = np.array([one.moved for one in first], dtype=bool)
    return {
        "overall": table.figures(inside),
        "calibration_error": round(error, 4),
        "calibration": [{key: round(value, 4) for key, value in row.items()} for row in bins],
        "precision_at_coverage": {"coverage": COVERAGE, "precision": _at(curve, COVERAGE)},
        "curve": _shown_curve(counted),
        "latency_ms": {
            name: {"p50": _quantile(values, 0.5), "p95": _quantile(values, 0.95)}
            for name, values in (("first", [o.first_ms for o in counted]), ("again", [o.again_ms for o in counted]))
        },
        "characters_saved": sum(one.saved + one.saved_below for one in counted),
        "silence": dict(Counter(one.reason for one in counted if not one.shown).most_common()),
        "groups": {
            by: {name: table.figures(mask) for name, mask in masks.items()}
            for by, masks in groups.items()
            if by != "all"
        },
        "moved": table.figures(moved),
    }


def _groups(answers: Sequence[ScoredAnswer]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Return masks of the cases of every group, without moved lines, large groups first."""
    kept = np.array([not one.moved for one in answers], dtype=bool)
    directories = Counter(one.directory for one in answers if not one.moved)
    listed = {name for name, _ in directories.most_common(DIRECTORIES)} if len(directories) > DIRECTORIES + 1 else None
    keys: dict[str, Callable[[ScoredAnswer], str]] = {
        "place": lambda one: f"{one.nature}, {'line start' if one.kind == 'start' else 'within the line'}",
        "kind": lambda one: one.kind,
        "novelty": lambda one: "stands elsewhere" if one.verbatim else "novel",
        "language": lambda one: one.language,
        "directory": lambda one: one.directory if listed is None or one.directory in listed else OTHERS,
    }
    groups = {"all": {"all": kept}}
    for by, key in keys.items():
        names = np.array([key(one) for one in answers], dtype=object)
        sizes = Counter(names[kept].tolist())
        order = sorted(sizes, key=lambda name: (name == OTHERS, -sizes[name], name))
        groups[by] = {name: kept & (names == name) for name in order}
    return groups


def _differences(tables: dict[str, _Table], mask: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return the difference of every later system to every earlier one."""
    names = list(tables)
    rows = []
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            one, two = tables[name], tables[other]
            rows.append(
                {
                    "from": name,
                    "to": other,
                    **{
                        key: one.bootstrap.difference(_masked(one, key, mask), _masked(two, key, mask)).as_dict()
                        for key in MEASURES
                    },
                }
            )
    return rows


def _masked(table: _Table, key: str, mask: NDArray[np.bool_]) -> tuple[Column, Column]:
    top, bottom = table.columns[key]
    return top * mask, bottom * mask


def _at(curve: list[tuple[float, float]], coverage: float) -> float | None:
    """Return the precision at a coverage; None if fewer cases have a suggestion."""
    reached = [precision for covered, precision in curve if covered >= coverage]
    return round(reached[0], 4) if reached else None


def _shown_curve(counted: Sequence[ScoredAnswer]) -> list[list[float]]:
    """Return coverage and precision of the automatic suggestions, the most probable first.

    Its end is what the present settings show; what lies before is what larger values of ``precision`` would show.
    """
    shown = [one for one in counted if one.shown]
    probability = np.array([one.shown_probability for one in shown])
    right = np.array([one.right for one in shown], dtype=bool)
    return _thinned(trade_off(probability, right, max(1, len(counted))))


def _thinned(curve: list[tuple[float, float]]) -> list[list[float]]:
    step = max(1, len(curve) // _POINTS)
    kept = curve[max(step, _LEAST_SHOWN) - 1 :: step]
    if curve and kept[-1:] != curve[-1:]:
        kept.append(curve[-1])
    return [[round(x, 4), round(y, 4)] for x, y in kept]


def _quantile(values: list[float], part: float) -> float | None:
    return round(float(np.quantile(values, part)), 2) if values else None
