"""Says how probable it is that a suggestion is right, and whether that is enough to show it unasked.

A small forest of trees judges the best option by the ranker's scores and its evidence; two numbers, a slope and a bias,
turn the forest's log-odds into a probability. The forest is fitted by ``scripts/fit_ranker.py`` on public histories;
the two numbers too, and ``ondol eval --fit-gate`` fits them again on a team's own. The user's one setting is the
precision that the shown suggestions shall have; the threshold for it comes from the same fit. All of it is JSON.

This module knows no text: rules about manners (numbers, popups) are the engine's.
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
from lsp_server.retrieval.trees import Forest

SHIPPED: Final = Path(__file__).parents[1] / "data" / "gate.json"
FOREST: Final = Path(__file__).parents[1] / "data" / "gate-forest.json"

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
    """What the gate judges the best option by, ``(len(INPUTS),)``."""
    best = ranked.options[0]
    scores = [option.score - best.score for option in ranked.options[1:]]
    ends = ranked.ends if ranked.ends is not None else best.score - _FAR
    others = sum(1 / (1 + math.exp(-option.score)) for option in ranked.options[1:])
    head = [
        best.score,
        min(-scores[0], _FAR) if scores else _FAR,
        max(-_FAR, min(best.score - ends, _FAR)),
        math.log(others + 0.01),
        math.log1p(len(best.text)),
        *(scores + [-2 * _FAR] * _LATER)[:_LATER],
    ]
    return np.concatenate((head, best.evidence))


@cache
def shipped_forest() -> Forest:
    """The forest that is shipped. :raises ValueError: it was fitted for other inputs."""
    forest = Forest.load(FOREST)
    if forest.names != INPUTS:
        raise ValueError(f"{FOREST.name} was fitted for other inputs; run scripts/fit_ranker.py")
    return forest


@dataclass(frozen=True, eq=False)
class Gate:
    """A calibrated gate.

    :param slope, bias: probability = 1 / (1 + exp(-(slope * forest + bias))).
    :param table: rows of (precision, threshold): suggestions above the threshold were right that often.
    """

    forest: Forest
    slope: float
    bias: float
    table: tuple[tuple[float, float], ...]

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Gate":
        """The gate in a JSON file. :raises ValueError: the file is no gate."""
        data = json.loads(path.read_text("utf-8"))
        try:
            table = tuple((float(a), float(b)) for a, b in data["table"])
            return cls(shipped_forest(), float(data["slope"]), float(data["bias"]), table)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no gate of this version; fit it again with ondol eval --fit-gate") from error

    def dumps(self) -> str:
        """The calibration as JSON; the forest is not in it."""
        parts = {"slope": round(self.slope, 6), "bias": round(self.bias, 6), "table": self.table}
        return json.dumps(parts) + "\n"

    def probability(self, values: NDArray[np.float64]) -> float:
        """The probability that the suggestion is right."""
        return float(self.probabilities(values[None, :])[0])

    def probabilities(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for many, ``(cases, len(INPUTS))``."""
        return _sigmoid(self.slope * self.forest.scores(values) + self.bias)

    def threshold(self, precision: float) -> float:
        """The probability from which on suggestions are shown, for a wanted precision of what is shown."""
        precisions = [row[0] for row in self.table]
        thresholds = [row[1] for row in self.table]
        return float(np.interp(precision, precisions, thresholds))


def fit(values: NDArray[np.float64], right: NDArray[np.bool_], forest: Forest | None = None) -> Gate:
    """A gate for suggestions with known outcome: slope and bias by Newton's method, drawn a little towards 1 and 0.

    :param values: ``(cases, len(INPUTS))``. :param right: ``(cases,)``.
    :param forest: the shipped one when not given.
    """
    forest = forest or shipped_forest()
    scores = forest.scores(values)
    slope, bias = calibrate(scores, right)
    return Gate(forest, slope, bias, thresholds(_sigmoid(slope * scores + bias), right))


def calibrate(scores: NDArray[np.float64], right: NDArray[np.bool_], pull: float = 2.0) -> tuple[float, float]:
    """Slope and bias that turn log-odds into probabilities of these outcomes.

    :param pull: weight of the prior that the scores are right as they are.
    """
    x = np.column_stack((scores, np.ones(len(scores))))
    prior = np.array([1.0, 0.0])
    beta = prior.copy()

    def loss(at: NDArray[np.float64]) -> float:
        z = x @ at
        return float(np.logaddexp(0, z).sum() - z @ right + pull / 2 * ((at - prior) ** 2).sum())

    for _ in range(50):
        p = _sigmoid(x @ beta)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + pull * np.eye(2)
        step = np.linalg.solve(curvature, x.T @ (right - p) - pull * (beta - prior))
        # A whole step may lead away where all scores are alike and the prior is far off.
        while np.abs(step).max() >= 1e-8 and loss(beta + step) > loss(beta):
            step /= 2
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[0]), float(beta[1])


def thresholds(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """For precisions from 0.3 to 0.95 the lowest threshold above which suggestions are right at least that often."""
    order = np.argsort(-probability)
    running = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    table = []
    for precision in np.arange(0.30, 0.96, 0.05):
        enough = np.flatnonzero(running >= precision)
        enough = enough[enough >= min(20, len(order) - 1)]
        place = int(enough[-1]) if len(enough) else 0
        table.append((round(float(precision), 2), round(float(probability[order[place]]), 4)))
    return tuple(table)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))
