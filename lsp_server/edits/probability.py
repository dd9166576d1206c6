"""The probability that a proposal is what the author wants: boosted trees over its evidence.

First trees judge each proposal by itself, second ones the most probable proposals of a moment next to each other
(:mod:`lsp_server.edits.second_look`). ``scripts/fit_edits.py`` and ``scripts/fit_second_look.py`` fit them on histories
of public repositories.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from lsp_server.edits.features import FEATURES
from lsp_server.edits.second_look import ELSEWHERE, HERE
from lsp_server.retrieval.trees import TreeEnsemble, sigmoid

FILE: Final = Path(__file__).parent.parent / "data" / "edits.json"


@dataclass(frozen=True, eq=False)
class Judge:
    """The trees for a line under the cursor and for lines elsewhere, first and second ones, and the thresholds.

    :param thresholds: least probability to be offered at the cursor, elsewhere in its document, in another file; for
        each of these without and with agreement of two edits (``features.agreed``).
    """

    here: TreeEnsemble
    elsewhere: TreeEnsemble
    here_again: TreeEnsemble
    elsewhere_again: TreeEnsemble
    thresholds: tuple[tuple[float, float], ...]

    def probabilities(self, rows: Sequence[Sequence[float]], *, here: bool) -> list[float]:
        """Return the first probability of each proposal from its row of features."""
        return _judged(self.here if here else self.elsewhere, rows)

    def again(self, rows: Sequence[Sequence[float]], *, here: bool) -> list[float]:
        """Return the final probability of each proposal from its row of ``second_look.HERE`` or ``ELSEWHERE``."""
        return _judged(self.here_again if here else self.elsewhere_again, rows)


def _judged(trees: TreeEnsemble, rows: Sequence[Sequence[float]]) -> list[float]:
    if not rows:
        return []
    found: list[float] = np.asarray(sigmoid(trees.scores(np.array(rows, np.float64)))).tolist()
    return found


@cache
def shipped() -> Judge:
    """Return the judge that Ondol ships.

    :raises ValueError: it was fitted on other features; run scripts/fit_edits.py and scripts/fit_second_look.py.
    """
    data: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    here, elsewhere = TreeEnsemble.parse(data["here"]), TreeEnsemble.parse(data["elsewhere"])
    again = TreeEnsemble.parse(data["here_again"]), TreeEnsemble.parse(data["elsewhere_again"])
    names = [trees.names for trees in (here, elsewhere, *again)]
    if names != [FEATURES, FEATURES, HERE, ELSEWHERE]:
        raise ValueError(f"{FILE.name} was fitted on other features; run scripts/fit_edits.py and fit_second_look.py")
    return Judge(here, elsewhere, *again, tuple((float(one), float(both)) for one, both in data["thresholds"]))


def first_trees() -> Judge:
    """Return a judge with the shipped first trees, whose second ones must not be asked: they are still to be fitted."""
    data: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    here, elsewhere = TreeEnsemble.parse(data["here"]), TreeEnsemble.parse(data["elsewhere"])
    return Judge(here, elsewhere, here, elsewhere, ())
