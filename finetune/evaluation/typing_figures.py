"""Makes figures from typed hunks: overall and by language, with intervals by a bootstrap over hunks.

The result is plain data for JSON and holds no text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from finetune.evaluation.intervals import Bootstrap
from finetune.evaluation.typist import Seen, TypedResult

Of = Callable[[TypedResult], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """A ratio of two sums over hunks.

    :param unit: ``share``, or ``number`` for one that is no share.
    """

    label: str
    top: Of
    bottom: Of
    unit: str = "share"


def _seen(which: Callable[[Seen], float]) -> Of:
    return lambda result: sum(which(one) for one in result.seen)


def _several(one: Seen) -> bool:
    return "\n" in one.text


_ALL = _seen(lambda one: 1)

MEASURES: Final[dict[str, Measure]] = {
    "saved": Measure("keys saved, words and lines included", lambda r: r.alone - r.pressed, lambda r: r.alone),
    "saved_whole": Measure(
        "keys saved by whole accepts alone", lambda r: r.alone - r.pressed - r.by_parts, lambda r: r.alone
    ),
    "seen": Measure("ghost texts seen per 100 characters", lambda r: 100 * _ALL(r), lambda r: r.characters, "number"),
    "accepted": Measure("accepted whole", _seen(lambda one: one.ended == "accepted"), _ALL),
    "right": Measure("right as a whole when it appeared", _seen(lambda one: one.right), _ALL),
    "part": Measure("accepted in part only", _seen(lambda one: one.part and one.ended != "accepted"), _ALL),
    "past": Measure("typed past", _seen(lambda one: one.ended == "past"), _ALL),
    "first_word": Measure("first word right", _seen(lambda one: one.first_word), _ALL),
    "life": Measure("keys on screen", _seen(lambda one: one.keys), _ALL, "number"),
    "short": Measure("one or two characters", _seen(lambda one: len(one.text.strip()) <= 2), _ALL),
    "several": Measure("several lines", _seen(_several), _ALL),
    "several_right": Measure(
        "several lines, right to their end", _seen(lambda one: _several(one) and one.right), _seen(_several)
    ),
    "below": Measure("stands in one of the next three lines", _seen(lambda one: one.below), _ALL),
    "again_past": Measure("shown again after it was typed past", lambda r: r.again["past"], lambda r: 1, "number"),
    "again_escape": Measure("shown on a line after Escape", lambda r: r.again["escape"], lambda r: 1, "number"),
    "again_deleted": Measure("shown again after it was deleted", lambda r: r.again["deleted"], lambda r: 1, "number"),
}
"""All figures, in the order of the report. The last three are per hunk."""


def figures(results: Sequence[TypedResult], seed: int) -> dict[str, Any]:
    """Return the figures of one system, overall and by language, the most characters first."""
    languages: dict[str, list[TypedResult]] = {}
    for result in results:
        languages.setdefault(result.hunk.language, []).append(result)
    order = sorted(languages, key=lambda name: -sum(one.characters for one in languages[name]))
    ended: dict[str, int] = {}
    for result in results:
        for one in result.seen:
            ended[one.ended] = ended.get(one.ended, 0) + 1
    return {
        "overall": _group(results, seed),
        "languages": {name: _group(languages[name], seed) for name in order},
        "ended": dict(sorted(ended.items())),
    }


def _group(results: Sequence[TypedResult], seed: int) -> dict[str, Any]:
    bootstrap = Bootstrap([str(number) for number in range(len(results))], seed)
    spent = np.array([ms for result in results for ms in result.ms] or [0.0])
    found: dict[str, Any] = {
        "hunks": len(results),
        "characters": sum(result.characters for result in results),
        "keys_alone": sum(result.alone for result in results),
        "keys_pressed": sum(result.pressed for result in results),
        "texts": sum(len(result.seen) for result in results),
        "requests": sum(len(result.ms) for result in results),
        "ms": {"p50": round(float(np.quantile(spent, 0.5)), 2), "p95": round(float(np.quantile(spent, 0.95)), 2)},
        "again": {name: sum(result.again[name] for result in results) for name in ("past", "escape", "deleted")},
    }
    for name, measure in MEASURES.items():
        top = np.array([float(measure.top(result)) for result in results])
        bottom = np.array([float(measure.bottom(result)) for result in results])
        share = measure.unit == "share" and not name.startswith("saved")
        found[name] = bootstrap.ratio(top, bottom, share=share).as_dict()
    return found
