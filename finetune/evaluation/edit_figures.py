"""Makes figures from the replay of edits: overall and by language, with intervals by a bootstrap over commits.

The result is plain data for JSON and holds no text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from finetune.evaluation.edit_replay import Outcome
from finetune.evaluation.intervals import Bootstrap

Which = Callable[[Outcome], bool]


@dataclass(frozen=True, slots=True)
class Measure:
    """A share of moments, or with ``per`` a number for each ``per`` moments."""

    label: str
    top: Which
    bottom: Which
    per: int = 1


def _kind(*kinds: str) -> Which:
    return lambda one: one.kind in kinds


def _offered(kind: str, where: str) -> Which:
    return lambda one: one.kind == kind and one.where == where


def _right(which: Which) -> Which:
    return lambda one: one.right and which(one)


def _series(one: Outcome) -> bool:
    return one.kind == "here" and one.series


def _third(one: Outcome) -> bool:
    return _series(one) and bool(one.where)


def _more(one: Outcome) -> bool:
    return one.kind == "after" and one.more


def _any(one: Outcome) -> bool:
    return bool(one.where) and one.kind in ("here", "after")


_HERE, _ELSEWHERE, _FILE = _offered("here", "here"), _offered("after", "elsewhere"), _offered("after", "file")

MEASURES: Final[dict[str, Measure]] = {
    "here_right": Measure("cursor on the next changed line: right of those offered", _right(_HERE), _HERE),
    "here_reached": Measure("... reached (offered and right)", _right(_HERE), _kind("here")),
    "series_right": Measure("third like edit and later: right of those offered", _right(_third), _third),
    "series_reached": Measure("... reached", _right(_third), _series),
    "passed": Measure(
        "cursor on a line near it that stays: offered", lambda o: o.kind == "passed" and bool(o.where), _kind("passed")
    ),
    "inserted_right": Measure(
        "lines inserted: right of those offered",
        _right(_offered("inserted", "here")),
        _offered("inserted", "here"),
    ),
    "inserted_reached": Measure("... reached", _right(_offered("inserted", "here")), _kind("inserted")),
    "deleted_right": Measure(
        "line deleted: right of those offered", _right(_offered("deleted", "here")), _offered("deleted", "here")
    ),
    "deleted_reached": Measure("... reached", _right(_offered("deleted", "here")), _kind("deleted")),
    "elsewhere_right": Measure("elsewhere in the file: right of those offered", _right(_ELSEWHERE), _ELSEWHERE),
    "elsewhere_share": Measure("... offers per moment with more to come", _ELSEWHERE, _more),
    "file_right": Measure("in another file: right of those offered", _right(_FILE), _FILE),
    "file_share": Measure("... offers per moment", _FILE, _kind("after")),
    "offers": Measure("offers per 100 edits", _any, _kind("after"), 100),
    "not_made": Measure(
        "offers per 100 edits that the commit did not make", lambda o: _any(o) and not o.right, _kind("after"), 100
    ),
}
"""All figures of moments, in the order of the report."""


def figures(outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    """Return the figures overall and by language, the most changes first."""
    languages: dict[str, list[Outcome]] = {}
    for one in outcomes:
        languages.setdefault(one.language, []).append(one)
    order = sorted(languages, key=lambda name: (-len(languages[name]), name))
    return {
        "overall": _group(outcomes, seed),
        "languages": {name: _group(languages[name], seed) for name in order},
    }


def _group(outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    bootstrap = Bootstrap([one.commit for one in outcomes], seed)
    spent = np.array([one.ms for one in outcomes] or [0.0])
    found: dict[str, Any] = {
        "commits": len({one.commit for one in outcomes}),
        "edits": sum(one.kind == "after" for one in outcomes),
        "predicted": sum(one.kind == "here" for one in outcomes),
        "ms": {"p50": round(float(np.quantile(spent, 0.5)), 2), "p95": round(float(np.quantile(spent, 0.95)), 2)},
    }
    for name, measure in MEASURES.items():
        top = np.array([float(measure.per * measure.top(one)) for one in outcomes])
        bottom = np.array([float(measure.bottom(one)) for one in outcomes])
        # Offers after a file's last change are in no moment with more to come.
        share = measure.per == 1 and name != "elsewhere_share"
        found[name] = bootstrap.ratio(top, bottom, share=share).as_dict()
    jumped = {one.change for one in outcomes if one.kind == "after" and one.right}
    saved = [one.kind == "here" and (one.right or one.change in jumped) for one in outcomes]
    here = np.array([float(one.kind == "here") for one in outcomes])
    found["saved"] = bootstrap.ratio(np.array(saved, float), here, share=True).as_dict()
    return found
