"""Boosted regression trees, read from JSON and evaluated with numpy for all rows and trees at once.

``scripts/fit_ranker.py`` fits them. 150 rows through 150 trees of depth six take about 1 ms.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """Trees in one run of nodes.

    Node ``i`` leads to ``left[i]`` when its feature is at most ``threshold[i]``, else to ``right[i]``. A leaf leads to
    itself and holds ``value[i]``.

    :param names: the features by column; whoever loads an ensemble compares them with its own.
    """

    names: tuple[str, ...]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    roots: NDArray[np.int64]
    depth: int

    @classmethod
    def load(cls, path: Path) -> "TreeEnsemble":
        """Return the ensemble in a JSON file that :meth:`dumps` wrote."""
        return cls.parse(json.loads(path.read_text("utf-8")))

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "TreeEnsemble":
        """Return the ensemble of an object that was read from such a file."""
        return cls(
            tuple(data["names"]),
            np.array(data["feature"], np.int64),
            np.array(data["threshold"], np.float64),
            np.array(data["left"], np.int64),
            np.array(data["right"], np.int64),
            np.array(data["value"], np.float64),
            np.array(data["roots"], np.int64),
            int(data["depth"]),
        )

    def dumps(self) -> str:
        """Return the ensemble as JSON, with numbers rounded to nine digits."""
        parts = {
            "names": list(self.names),
            "depth": self.depth,
            "roots": self.roots.tolist(),
            "feature": self.feature.tolist(),
            "threshold": [float(f"{x:.9g}") for x in self.threshold],
            "left": self.left.tolist(),
            "right": self.right.tolist(),
            "value": [float(f"{x:.9g}") for x in self.value],
        }
        return json.dumps(parts, separators=(",", ":")) + "\n"

    def scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of all trees for each row, shape ``(rows,)``."""
        at = np.broadcast_to(self.roots, (len(rows), len(self.roots))).copy()
        number = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            goes_left = rows[number, self.feature[at]] <= self.threshold[at]
            at = np.where(goes_left, self.left[at], self.right[at])
        totals: NDArray[np.float64] = self.value[at].sum(axis=1)
        return totals


@overload
def sigmoid(log_odds: float) -> float: ...
@overload
def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]: ...
def sigmoid(log_odds: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    """Return the probabilities of log-odds, which are limited to -30 to 30."""
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))
    return probability if isinstance(log_odds, np.ndarray) else float(probability)
