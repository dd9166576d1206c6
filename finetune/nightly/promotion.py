"""The promotion gate: whether a trained adapter may take the place of what serves, and every reason why not.

A pure decision over scored arms of one replay and over what was found wrong beforehand. The candidate must beat each
rival in exact match by more than the noise of a paired bootstrap, lose more than a point in no language, take at most a
tenth longer than what serves for a text of the same length, give away no canary, and have nothing wrong with it.
Anything that cannot be told counts against it. This module knows no model, no file and no repository.
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
SERVING: Final = "serving"
"""The arm of the version that serves now, with retrieval; absent where the base serves bare."""

SEEN_NOW: Final = "copier+serving"
SEEN_THEN: Final = "copier+adapter"
"""What editors get now and would get then: the copier beside the model. Copies carry both, so a gain is smaller there
than the noise; but it may not clearly be a loss."""

LEAST_CASES: Final = 50
LEAST_FILES: Final = 8
"""Fewer cursors, or cursors in fewer files, tell nothing: files are what the bootstrap draws."""

LANGUAGE_LOSS: Final = 0.01
LANGUAGE_CASES: Final = 100
"""Cases of a language from which on its loss is taken as it is: with fewer, one case is more than a point, so the whole
interval has to lie beyond the limit."""

SLOWER: Final = 1.10
SLOWER_MS: Final = 1.0
"""Growth of the latency that is allowed; a growth below so many milliseconds is nobody's to notice."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is known of a candidate.

    :param arms: outcomes by arm, in the same order of cases; none where the candidate never came to be replayed.
    :param problems: sentences about what is wrong with it: NaN, another base, a failed training.
    :param leaks: planted strings that came out, and secrets in its completions; each as a phrase without the text.
    """

    arms: Mapping[str, Sequence[ScoredAnswer]]
    problems: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with it.

    :param reasons: why it is kept back, each a phrase; empty when it is promoted.
    :param figures: gain over each rival, change of each language, growth of latency; plain data.
    """

    promote: bool
    reasons: tuple[str, ...]
    figures: dict[str, Any]


def decide(trial: Trial) -> Decision:
    """Promote or keep."""
    reasons = [*trial.problems, *trial.leaks]
    figures: dict[str, Any] = {}
    rivals = [name for name in (SERVING, BASE) if name in trial.arms]
    if CANDIDATE not in trial.arms or BASE not in rivals or not trial.arms[CANDIDATE]:
        if not reasons:
            reasons.append("nothing was replayed")
        return Decision(False, tuple(reasons), figures)
    kept = [place for place, one in enumerate(trial.arms[CANDIDATE]) if not one.moved]
    arms = {name: [outcomes[place] for place in kept] for name, outcomes in trial.arms.items()}
    files = len({one.path for one in arms[CANDIDATE]})
    if len(kept) < LEAST_CASES or files < LEAST_FILES:
        where = f"{len(kept)} cursors in {files} file{'s' if files != 1 else ''}"
        reasons.append(f"{where} are too few to tell ({LEAST_CASES} in {LEAST_FILES} are needed)")
    if not kept:
        return Decision(False, tuple(reasons), figures)
    figures["gains"] = {name: _gain(arms, name, trial.seed).as_dict() for name in rivals}
    figures["languages"] = {name: _languages(arms, name, trial.seed) for name in rivals}
    figures["latency"] = _latency(arms[rivals[0]], arms[CANDIDATE])
    reasons += _too_little(figures["gains"])
    reasons += _lost(figures["languages"])
    reasons += _slower(figures["latency"], rivals[0])
    if SEEN_NOW in arms and SEEN_THEN in arms:
        everywhere = np.ones(len(kept), bool)
        change = _difference(arms, SEEN_NOW, everywhere, trial.seed, SEEN_THEN).as_dict()
        figures["seen"] = change
        if change["high"] < 0:
            reasons.append(f"beside the copier, worse than what editors get now ({points(change)} exact match)")
    return Decision(not reasons, tuple(reasons), figures)


def called(rival: str) -> str:
    """A rival as people call it."""
    return {SERVING: "what serves now", BASE: "the base with retrieval"}[rival]


def _gain(arms: Mapping[str, Sequence[ScoredAnswer]], rival: str, seed: int) -> Estimate:
    return _difference(arms, rival, np.ones(len(arms[CANDIDATE]), bool), seed)


def _difference(
    arms: Mapping[str, Sequence[ScoredAnswer]], rival: str, mask: NDArray[np.bool_], seed: int, one: str = CANDIDATE
) -> Estimate:
    """Exact match of an arm minus that of a rival, over the cases of a mask."""
    bootstrap = Bootstrap([case.path for case, inside in zip(arms[one], mask, strict=True) if inside], seed)
    ones = np.ones(int(mask.sum()))
    return bootstrap.difference((_exact(arms[rival], mask), ones), (_exact(arms[one], mask), ones))


def _exact(outcomes: Sequence[ScoredAnswer], mask: NDArray[np.bool_]) -> Column:
    return np.array([float(one.exact) for one in outcomes])[mask]


def _languages(arms: Mapping[str, Sequence[ScoredAnswer]], rival: str, seed: int) -> dict[str, dict[str, Any]]:
    names = np.array([one.language for one in arms[CANDIDATE]], dtype=object)
    return {
        name: _difference(arms, rival, names == name, seed).as_dict()
        for name, _ in Counter(names.tolist()).most_common()
    }


def _latency(before: Sequence[ScoredAnswer], after: Sequence[ScoredAnswer]) -> dict[str, float]:
    """Milliseconds of both for a text of as many passes through the model.

    How long a text is says nothing about speed: an adapter that has learnt a language writes three times as much in it
    as a base that ends after a token. Where too few passes were counted, the medians of the whole answers.
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
    """Milliseconds of a text of so many passes, by the line of Theil and Sen: a busy moment does not bend it."""
    x, y = (np.array([getattr(one, name) for one in outcomes], float) for name in ("passes", "model_ms"))
    apart = np.subtract.outer(x, x)
    rises = np.subtract.outer(y, y)[apart > 0] / apart[apart > 0]
    slope = float(np.median(rises)) if rises.size else 0.0
    return round(float(np.median(y - slope * x)) + slope * passes, 2)


def _too_little(gains: Mapping[str, Mapping[str, Any]]) -> list[str]:
    reasons = []
    for rival, gain in gains.items():
        if gain["low"] is None or not gain["low"] > 0:
            told = "nothing was counted" if gain["value"] is None else points(gain)
            reasons.append(f"not clearly better than {called(rival)} ({told} exact match)")
    return reasons


def _lost(languages: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    reasons = []
    for rival, rows in languages.items():
        for name, change in rows.items():
            told = change["count"] >= LANGUAGE_CASES or change["high"] < -LANGUAGE_LOSS
            if change["value"] < -LANGUAGE_LOSS and told:
                reasons.append(f"worse in {name} than {called(rival)} ({points(change)} exact match)")
    return reasons


def _slower(latency: Mapping[str, float], rival: str) -> list[str]:
    before, after = latency["before"], latency["after"]
    if after <= SLOWER * before or after - before <= SLOWER_MS:
        return []
    length = f" for a text of {latency['passes']:.0f} passes" if "passes" in latency else ""
    return [f"slower than {called(rival)}{length} ({before:.1f} to {after:.1f} ms)"]


def points(estimate: Mapping[str, Any]) -> str:
    """A difference as text, e.g. ``+3.1, 95 % interval 1.2 to 5.0``."""
    value, low, high = (100 * float(estimate[key]) for key in ("value", "low", "high"))
    return f"{value:+.1f}, 95 % interval {low:.1f} to {high:.1f}"
