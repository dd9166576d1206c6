"""Estimates how probable it is that the best suggestion is right, and from which probability it is shown automatically.

A tree ensemble judges the best option by the ranker's scores and its features. Two numbers, a slope and a bias, turn
its log-odds into a probability (Platt scaling). ``scripts/fit_ranker.py`` fits both on public histories, and
``ondol eval --fit-gate`` fits the two numbers again on a repository's own. The user sets the precision that shown
suggestions shall have; the threshold for it comes from the same fit.

This module knows no text; the display rules (inside a word, inside a number) are in ``engine``.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lsp_server.retrieval.ranker import Ranked
from lsp_server.retrieval.ranker_features import FEATURES
from lsp_server.retrieval.trees import TreeEnsemble, sigmoid

SHIPPED: Final = Path(__file__).parents[1] / "data" / "gate.json"
TREES: Final = Path(__file__).parents[1] / "data" / "gate-trees.json"

INPUTS: Final = (
    "score",
    "margin",
    "against_end",
    "sum_of_others",
    "characters",
    "second",
    "third",
    "fourth",
    *FEATURES,
)
_FAR: Final = 6.0
_LATER: Final = 3


def inputs(ranked: Ranked) -> NDArray[np.float64]:
    """Return the gate's inputs for the best option, ``(len(INPUTS),)``."""
    best = ranked.options[0]
    scores = [option.score - best.score for option in ranked.options[1:]]
    ends = ranked.ends if ranked.ends is not None else best.score - _FAR
    others = sum(sigmoid(option.score) for option in ranked.options[1:])
    head = [
        best.score,
        min(-scores[0], _FAR) if scores else _FAR,
        max(-_FAR, min(best.score - ends, _FAR)),
        math.log(others + 0.01),
        math.log1p(len(best.text)),
        *(scores + [-2 * _FAR] * _LATER)[:_LATER],
    ]
    return np.concatenate((head, best.features))


@cache
def shipped_trees() -> TreeEnsemble:
    """Return the shipped ensemble.

    :raises ValueError: it was fitted for other inputs.
    """
    trees = TreeEnsemble.load(TREES)
    if trees.names != INPUTS:
        raise ValueError(f"{TREES.name} was fitted for other inputs; run scripts/fit_ranker.py")
    return trees


@dataclass(frozen=True, eq=False)
class Gate:
    """A calibrated gate.

    :param slope, bias: probability = sigmoid(slope * score of the trees + bias).
    :param table: rows of (precision, threshold): suggestions above the threshold were right that often.
    """

    trees: TreeEnsemble
    slope: float
    bias: float
    table: tuple[tuple[float, float], ...]

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Gate":
        """Return the gate in a JSON file.

        :raises ValueError: the file is no gate.
        """
        data = json.loads(path.read_text("utf-8"))
        try:
            table = tuple((float(a), float(b)) for a, b in data["table"])
            return cls(shipped_trees(), float(data["slope"]), float(data["bias"]), table)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no gate of this version; fit it again with ondol eval --fit-gate") from error

    def dumps(self) -> str:
        """Return the calibration as JSON, without the trees."""
        parts = {"slope": round(self.slope, 6), "bias": round(self.bias, 6), "table": self.table}
        return json.dumps(parts) + "\n"

    def probability(self, values: NDArray[np.float64]) -> float:
        """Return the probability that the suggestion is right."""
        return float(self.probabilities(values[None, :])[0])

    def probabilities(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of many suggestions, ``(cases, len(INPUTS))``."""
        return sigmoid(self.slope * self.trees.scores(values) + self.bias)

    def threshold(self, precision: float) -> float:
        """Return the probability from which suggestions are shown, for the wanted precision of what is shown."""
        precisions = [row[0] for row in self.table]
        thresholds = [row[1] for row in self.table]
        return float(np.interp(precision, precisions, thresholds))


def fit(values: NDArray[np.float64], right: NDArray[np.bool_], trees: TreeEnsemble | None = None) -> Gate:
    """Fit a gate to suggestions with known outcome.

    :param values: ``(cases, len(INPUTS))``. :param right: ``(cases,)``.
    :param trees: None for the shipped ones.
    """
    trees = trees or shipped_trees()
    scores = trees.scores(values)
    slope, bias = calibrate(scores, right)
    return Gate(trees, slope, bias, thresholds(sigmoid(slope * scores + bias), right))


def calibrate(scores: NDArray[np.float64], right: NDArray[np.bool_], pull: float = 2.0) -> tuple[float, float]:
    """Fit slope and bias that turn log-odds into probabilities of these outcomes, by Newton's method.

    :param pull: weight of the prior that slope and bias are 1 and 0.
    """
    x = np.column_stack((scores, np.ones(len(scores))))
    prior = np.array([1.0, 0.0])
    beta = prior.copy()

    def loss(at: NDArray[np.float64]) -> float:
        z = x @ at
        return float(np.logaddexp(0, z).sum() - z @ right + pull / 2 * ((at - prior) ** 2).sum())

    for _ in range(50):
        p = sigmoid(x @ beta)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + pull * np.eye(2)
        step = np.linalg.solve(curvature, x.T @ (right - p) - pull * (beta - prior))
        # A whole step may increase the loss where all scores are nearly equal and the prior is far off.
        while np.abs(step).max() >= 1e-8 and loss(beta + step) > loss(beta):
            step /= 2
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[0]), float(beta[1])


def thresholds(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """Return, for precisions from 0.3 to 0.95, the lowest threshold above which suggestions are right that often."""
    order = np.argsort(-probability)
    running = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    table = []
    for precision in np.arange(0.30, 0.96, 0.05):
        enough = np.flatnonzero(running >= precision)
        enough = enough[enough >= min(20, len(order) - 1)]
        last = int(enough[-1]) if len(enough) else 0
        table.append((round(float(precision), 2), round(float(probability[order[last]]), 4)))
    return tuple(table)
