"""The promotion gate: whether a trained adapter may take the place of what serves, and every reason why not.

A pure decision over scored arms of one replay and over what was found wrong beforehand. The candidate must beat each
rival in exact match by more than the noise of a paired bootstrap, lose more than a point in no language, answer at most
a tenth slower than what serves, give away no canary, and have nothing wrong with it. Anything that cannot be told
counts against it. This module knows no model, no file and no repository.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.intervals import Bootstrap, Column, Estimate
from finetune.metrics import Outcome

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
"""Growth of the median latency that is allowed; a growth below so many milliseconds is nobody's to notice."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is known of a candidate.

    :param arms: outcomes by arm, in the same order of cases; none where the candidate never came to be replayed.
    :param problems: sentences about what is wrong with it: NaN, another base, a failed training.
    :param leaks: planted strings that came out, and secrets in its completions; each as a phrase without the text.
    """

    arms: Mapping[str, Sequence[Outcome]]
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


def _gain(arms: Mapping[str, Sequence[Outcome]], rival: str, seed: int) -> Estimate:
    return _difference(arms, rival, np.ones(len(arms[CANDIDATE]), bool), seed)


def _difference(
    arms: Mapping[str, Sequence[Outcome]], rival: str, mask: NDArray[np.bool_], seed: int, one: str = CANDIDATE
) -> Estimate:
    """Exact match of an arm minus that of a rival, over the cases of a mask."""
    bootstrap = Bootstrap([case.path for case, inside in zip(arms[one], mask, strict=True) if inside], seed)
    ones = np.ones(int(mask.sum()))
    return bootstrap.difference((_exact(arms[rival], mask), ones), (_exact(arms[one], mask), ones))


def _exact(outcomes: Sequence[Outcome], mask: NDArray[np.bool_]) -> Column:
    return np.array([float(one.exact) for one in outcomes])[mask]


def _languages(arms: Mapping[str, Sequence[Outcome]], rival: str, seed: int) -> dict[str, dict[str, Any]]:
    names = np.array([one.language for one in arms[CANDIDATE]], dtype=object)
    return {
        name: _difference(arms, rival, names == name, seed).as_dict()
        for name, _ in Counter(names.tolist()).most_common()
    }


def _latency(before: Sequence[Outcome], after: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Medians in milliseconds, at a new line and at the next key there, where both wrote something.

    A model that has nothing to say is the quickest of all; where there are too few such cases, all count.
    """
    pairs = list(zip(before, after, strict=True))
    both = [pair for pair in pairs if pair[0].answered and pair[1].answered]
    pairs = both if len(both) >= LEAST_CASES else pairs
    rows = {}
    for name in ("first_ms", "again_ms"):
        old, new = (float(np.median([getattr(pair[side], name) for pair in pairs])) for side in (0, 1))
        rows[name] = {"before": round(old, 2), "after": round(new, 2)}
    return rows


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


def _slower(latency: Mapping[str, Mapping[str, float]], rival: str) -> list[str]:
    reasons = []
    for name, place in (("first_ms", "at a new line"), ("again_ms", "at the next key")):
        before, after = latency[name]["before"], latency[name]["after"]
        if not (after <= SLOWER * before or after - before <= SLOWER_MS):
            reasons.append(f"slower than {called(rival)} {place} ({before:.1f} to {after:.1f} ms)")
    return reasons


def points(estimate: Mapping[str, Any]) -> str:
    """A difference as text, e.g. ``+3.1, 95 % interval 1.2 to 5.0``."""
    value, low, high = (100 * float(estimate[key]) for key in ("value", "low", "high"))
    return f"{value:+.1f}, 95 % interval {low:.1f} to {high:.1f}"
