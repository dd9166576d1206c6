"""Fits the fusion of retrieval and a model to a repository's own typed keys, and keeps it if it is better there.

``fusion_examples`` types hunks of past commits. ``scripts/fit_fusion.py`` fits the shipped regressions on public
histories; ``ondol eval --fit-model`` fits a team's own on the older windows of commits and judges them on the newest.
Replays always use the shipped ones, which have seen none of their commits.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.fusion_examples import Floats, FusionExamples, TypedWindow, together
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import own_fusion_file, repository_directory
from indexer.errors import UserError
from lsp_server.model.fusion import FEATURES, Fusion, Kind
from lsp_server.retrieval.trees import sigmoid

MINIMUM_KEYS: Final = 60
MINIMUM_HUNKS: Final = 8
"""Keys and hunks that fitting and judging need, each: keys of one hunk resemble each other."""

OWN_PULL: Final = 200.0
"""Weight of the shipped regressions where a repository's own are fitted; a word at even odds weighs a quarter.

What can be typed in minutes is few hunks. With SmolLM2-135M and gemma-3-270m in three repositories (3 to 22 hunks to
fit on, the next window judges, twelve such pairs), slope and bias lose .016, .009, .004 and .001 of log loss a word on
average with 5, 20, 60 and 200, and all 26 weights lose .028 with 20. The clearest gain is .013 with 200.
"""


@dataclass(frozen=True, slots=True)
class FusionFit:
    """The result of fitting a repository's own fusion: log loss per word on the newest hunks, before and after.

    :param noise: standard error of the difference, over hunks. :param written: where it was written; None if it is not
        better. :param fitted_on: keys; ``fitted_hunks``: their hunks; the same for those that judge.
    """

    before: float
    after: float
    noise: float
    written: Path | None
    fitted_on: int
    judged_on: int
    fitted_hunks: int
    judged_hunks: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``."""
        return {**asdict(self), "written": str(self.written) if self.written else None}

    def sentences(self) -> list[str]:
        """Return the result in sentences."""
        facts = (
            f"Fitted on {self.fitted_on:,} typed keys of {self.fitted_hunks:,} hunks, judged on {self.judged_on:,} keys"
            f" of the {self.judged_hunks:,} newest: log loss of a word {self.before:.4f} as shipped,"
            f" {self.after:.4f} fitted."
        )
        if self.written is None:
            return [facts, "Not clearly better here, so the shipped one stays."]
        return [facts, f"Better here, so it is used from now on: {self.written}", "Delete that file to go back."]


def fit(examples: FusionExamples, pull: float = 1.0) -> Fusion:
    """Fit the four regressions.

    :param pull: weight of the prior, which is retrieval's own probability wherever there is one.
    """
    weights = {}
    for kind in Kind:
        prior = np.array([float(name == "copied") for name in FEATURES[kind]])
        beta = _logistic(examples.rows[kind], examples.right[kind], prior, pull)
        weights[kind] = tuple(float(one) for one in beta)
    return Fusion(weights)


def fit_own(examples: FusionExamples, shipped: Fusion) -> Fusion:
    """Fit a slope and a bias for the log-odds of each of the shipped regressions."""
    weights = {}
    for kind in Kind:
        beta = np.array(shipped.weights[kind])
        odds = examples.rows[kind] @ beta
        x = np.column_stack([np.ones(len(odds)), odds])
        bias, slope = _logistic(x, examples.right[kind], np.array([0.0, 1.0]), OWN_PULL)
        beta = beta * slope
        beta[FEATURES[kind].index("constant")] += bias
        weights[kind] = tuple(float(one) for one in beta)
    return Fusion(weights)


def _logistic(x: Floats, right: NDArray[np.bool_], prior: Floats, pull: float) -> Floats:
    """Return the weights of a logistic regression, by Newton's method.

    :param x: ``(examples, weights)``. :param pull: weight of the prior.
    """
    beta, y = prior.copy(), right.astype(np.float64)
    for _ in range(60):
        p = sigmoid(x @ beta)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + pull * np.eye(len(prior))
        beta = beta + np.linalg.solve(curvature, x.T @ (y - p) - pull * (beta - prior))
    return beta


def refit(windows: Sequence[TypedWindow], settings: Settings, root: Path) -> FusionFit:
    """Fit on the older windows, judge on the newest, and write the result if it is better there.

    Where the newest window has too few hunks, as that of a replay which a signal has ended, the one before it judges
    as well.

    :raises UserError: there are too few keys where the model was asked.
    """
    at = len(windows) - 1
    while at > 1 and not _enough(windows[at:]):
        at -= 1
    older, newest = windows[: max(0, at)], windows[max(0, at) :]
    if not (_enough(older) and _enough(newest)):
        told = [f"{sum(len(one.hunks) for one in part):,} hunks with {_keys(part):,} keys" for part in (older, newest)]
        raise UserError(
            f"{told[0]} to fit on and {told[1]} to judge by are too few"
            f" ({MINIMUM_HUNKS} hunks and {MINIMUM_KEYS} keys each are needed)",
            "raise --hunks, --commits or --minutes",
        )
    shipped = Fusion.load()
    fitted = fit_own(together([hunk for one in older for hunk in one.hunks]), shipped)
    judges = [hunk for one in newest for hunk in one.hunks]
    before, after = ([hunk.losses(one) for hunk in judges] for one in (shipped, fitted))
    gain, noise = _mean_and_noise([was - then for was, then in zip(before, after, strict=True)])
    path = None
    if gain > noise:
        repository_directory(settings, root)
        path = own_fusion_file(settings, root)
        about = {"fitted_until": older[-1].about.get("newest"), "judged_until": newest[-1].about.get("newest")}
        fsio.replace_file(path, (json.dumps({**json.loads(fitted.dumps()), "about": about}) + "\n").encode())
    return FusionFit(
        before=round(float(np.concatenate(before).mean()), 4),
        after=round(float(np.concatenate(after).mean()), 4),
        noise=round(noise, 5),
        written=path,
        fitted_on=_keys(older),
        judged_on=_keys(newest),
        fitted_hunks=sum(len(one.hunks) for one in older),
        judged_hunks=len(judges),
    )


def _keys(windows: Sequence[TypedWindow]) -> int:
    return sum(hunk.keys for one in windows for hunk in one.hunks)


def _enough(windows: Sequence[TypedWindow]) -> bool:
    return sum(len(one.hunks) for one in windows) >= MINIMUM_HUNKS and _keys(windows) >= MINIMUM_KEYS


def _mean_and_noise(gains: Sequence[Floats]) -> tuple[float, float]:
    """Return the mean gain of a word and its standard error, whose draws are whole hunks.

    :param gains: for each hunk, those of its words.
    """
    sums, counts = np.array([one.sum() for one in gains]), np.array([len(one) for one in gains])
    words = max(1, int(counts.sum()))
    mean = float(sums.sum() / words)
    spread = float(((sums - mean * counts) ** 2).sum()) * len(gains) / max(1, len(gains) - 1)
    return mean, float(np.sqrt(spread)) / words
