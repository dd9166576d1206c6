"""The promotion gate: decides whether a trained adapter replaces the current one, and lists every reason against it.

The decision depends only on the scored answers of one replay and on problems found before it. The candidate must beat
each rival in exact match by more than the noise of a paired bootstrap, lose at most a point in any language, take at
most a tenth longer for a text of the same length, reproduce no canary, and have no other problem. A figure that cannot
be computed counts against the candidate.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.intervals import Bootstrap, Column, Estimate
from finetune.evaluation.metrics import ScoredAnswer

CANDIDATE: Final = "adapter+retrieval"
BASE: Final = "base+retrieval"
CURRENT: Final = "serving"
"""The current adapter with retrieval; absent if there is no current adapter."""

HYBRID_CURRENT: Final = "copier+serving"
HYBRID_NEW: Final = "copier+adapter"
"""The hybrid engine, which editors get, with the current and with the new adapter. Copies dominate both, so a gain is
smaller than the noise; but the new adapter must not be clearly worse."""

_TITLES: Final = {
    CANDIDATE: "new adapter, with retrieval",
    BASE: "base, with retrieval",
    CURRENT: "current adapter, with retrieval",
    HYBRID_CURRENT: "hybrid engine, as it is now",
    HYBRID_NEW: "hybrid engine, new adapter",
}

LEAST_CASES: Final = 50
LEAST_FILES: Final = 8
"""With fewer cursors or files nothing can be concluded: the bootstrap draws files."""

LANGUAGE_LOSS: Final = 0.01
LANGUAGE_CASES: Final = 100
"""With this number of cases of a language, its loss counts as it is. With fewer, one case is more than a point, so the
whole interval must lie beyond the limit."""

SLOWER: Final = 1.10
SLOWER_MS: Final = 1.0
"""Latency may grow by this factor, or by this number of milliseconds, which is not noticeable."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The facts about a candidate.

    :param systems: scored answers by system, in the same order of cases; empty if nothing was replayed.
    :param problems: what is wrong with the candidate: NaN, another base, a failed training.
    :param leaks: canaries and secrets in its completions; each a phrase without the text itself.
    """

    systems: Mapping[str, Sequence[ScoredAnswer]]
    problems: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to promote the candidate.

    :param reasons: why it is kept back, each a phrase; empty if it is promoted.
    :param figures: gain over each rival, change of each language, growth of latency; plain data.
    """

    promote: bool
    reasons: tuple[str, ...]
    figures: dict[str, Any]


def decide(trial: Trial) -> Decision:
    """Decide whether to promote a candidate."""
    reasons = [*trial.problems, *trial.leaks]
    figures: dict[str, Any] = {}
    rivals = [name for name in (CURRENT, BASE) if name in trial.systems]
    if CANDIDATE not in trial.systems or BASE not in rivals or not trial.systems[CANDIDATE]:
        if not reasons:
            reasons.append("nothing was replayed")
        return Decision(False, tuple(reasons), figures)
    kept = [place for place, one in enumerate(trial.systems[CANDIDATE]) if not one.moved]
    systems = {name: [outcomes[place] for place in kept] for name, outcomes in trial.systems.items()}
    files = len({one.path for one in systems[CANDIDATE]})
    if len(kept) < LEAST_CASES or files < LEAST_FILES:
        where = f"{len(kept)} cursors in {files} file{'s' if files != 1 else ''}"
        reasons.append(f"{where} are too few to judge by ({LEAST_CASES} in {LEAST_FILES} are needed)")
    if not kept:
        return Decision(False, tuple(reasons), figures)
    figures["gains"] = {name: _gain(systems, name, trial.seed).as_dict() for name in rivals}
    figures["languages"] = {name: _languages(systems, name, trial.seed) for name in rivals}
    figures["latency"] = _latency(systems[rivals[0]], systems[CANDIDATE])
    reasons += _too_little(figures["gains"])
    reasons += _lost(figures["languages"])
    reasons += _slower(figures["latency"], rivals[0])
    if HYBRID_CURRENT in systems and HYBRID_NEW in systems:
        everywhere = np.ones(len(kept), bool)
        change = _difference(systems, HYBRID_CURRENT, everywhere, trial.seed, HYBRID_NEW).as_dict()
        figures["seen"] = change
        if change["high"] < 0:
            reasons.append(f"worse than now in the hybrid engine, which editors get ({points(change)} exact match)")
    return Decision(not reasons, tuple(reasons), figures)


def called(rival: str) -> str:
    """Return a rival's name in a sentence."""
    return {CURRENT: "the current adapter", BASE: "the base with retrieval"}[rival]


def titled(system: str) -> str:
    """Return a system's name in a table; the stored names are those of version 0.1.0."""
    return _TITLES.get(system, system)


def _gain(systems: Mapping[str, Sequence[ScoredAnswer]], rival: str, seed: int) -> Estimate:
    return _difference(systems, rival, np.ones(len(systems[CANDIDATE]), bool), seed)


def _difference(
    systems: Mapping[str, Sequence[ScoredAnswer]], rival: str, mask: NDArray[np.bool_], seed: int, one: str = CANDIDATE
) -> Estimate:
    """Return the exact match of a system minus that of a rival, over the cases of a mask."""
    bootstrap = Bootstrap([case.path for case, inside in zip(systems[one], mask, strict=True) if inside], seed)
    ones = np.ones(int(mask.sum()))
    return bootstrap.difference((_exact(systems[rival], mask), ones), (_exact(systems[one], mask), ones))


def _exact(outcomes: Sequence[ScoredAnswer], mask: NDArray[np.bool_]) -> Column:
    return np.array([float(one.exact) for one in outcomes])[mask]


def _languages(systems: Mapping[str, Sequence[ScoredAnswer]], rival: str, seed: int) -> dict[str, dict[str, Any]]:
    names = np.array([one.language for one in systems[CANDIDATE]], dtype=object)
    return {
        name: _difference(systems, rival, names == name, seed).as_dict()
        for name, _ in Counter(names.tolist()).most_common()
    }


def _latency(before: Sequence[ScoredAnswer], after: Sequence[ScoredAnswer]) -> dict[str, float]:
    """Return the milliseconds of both systems for a text of the same number of passes through the model.

    Whole answers cannot be compared: an adapter that has learnt a language writes three times as much in it as a base
    that ends after one token. If too few passes were counted, the result holds the medians of the whole answers.
    """
    both = [(one, other) for one, other in zip(before, after, strict=True) if one.passes and other.passes]
    if len(both) < LEAST_CASES:
        return {"before": _median(one.first_ms for one in before), "after": _median(one.first_ms for one in after)}
    passes = _median(one.passes for pair in both for one in pair)
    old, new = (_at(passes, [pair[side] for pair in both]) for side in (0, 1))
    return {"before": old, "after": new, "passes": passes}


def _median(values: Iterable[float]) -> float:
    return round(float(np.median([*values])), 2)


def _at(passes: float, outcomes: Sequence[ScoredAnswer]) -> float:
    """Return the milliseconds of a text of a number of passes, by a Theil-Sen line, which ignores busy moments."""
    x, y = (np.array([getattr(one, name) for one in outcomes], float) for name in ("passes", "model_ms"))
    apart = np.subtract.outer(x, x)
    rises = np.subtract.outer(y, y)[apart > 0] / apart[apart > 0]
    slope = float(np.median(rises)) if rises.size else 0.0
    return round(float(np.median(y - slope * x)) + slope * passes, 2)


def _too_little(gains: Mapping[str, Mapping[str, Any]]) -> list[str]:
    reasons = []
    for rival, gain in gains.items():
        if gain["low"] is None or not gain["low"] > 0:
            figure = "nothing was counted" if gain["value"] is None else f"{points(gain)} exact match"
            reasons.append(f"not clearly better than {called(rival)} ({figure})")
    return reasons


def _lost(languages: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    reasons = []
    for rival, rows in languages.items():
        for name, change in rows.items():
            certain = change["count"] >= LANGUAGE_CASES or change["high"] < -LANGUAGE_LOSS
            if change["value"] < -LANGUAGE_LOSS and certain:
                reasons.append(f"worse in {name} than {called(rival)} ({points(change)} exact match)")
    return reasons


def _slower(latency: Mapping[str, float], rival: str) -> list[str]:
    before, after = latency["before"], latency["after"]
    if after <= SLOWER * before or after - before <= SLOWER_MS:
        return []
    length = f" for a text of {latency['passes']:.0f} passes" if "passes" in latency else ""
    return [f"slower than {called(rival)}{length} ({before:.1f} to {after:.1f} ms)"]


def points(estimate: Mapping[str, Any]) -> str:
    """Return a difference as text, e.g. ``+3.1, 95 % interval 1.2 to 5.0``."""
    value, low, high = (100 * float(estimate[key]) for key in ("value", "low", "high"))
    return f"{value:+.1f}, 95 % interval {low:.1f} to {high:.1f}"
