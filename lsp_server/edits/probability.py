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

BLOCKS: Final = 3
"""The number of the thresholds for inserted and deleted lines."""

AGAIN: Final = ("here", "elsewhere", "blocks")
"""Whose second trees there are."""

FILE: Final = Path(__file__).parent.parent / "data" / "edits.json"


@dataclass(frozen=True, eq=False)
class Judge:
    """The trees for a line under the cursor and for lines elsewhere, first and second ones, and the thresholds.

    :param blocks: second trees for lines that are inserted or deleted elsewhere.
    :param thresholds: least probability to be offered at the cursor, elsewhere in its document, in another file, and of
        inserted or deleted lines elsewhere (``BLOCKS``); for each of these without and with agreement of two edits
        (``features.agreed``).
    """

    here: TreeEnsemble
    elsewhere: TreeEnsemble
    here_again: TreeEnsemble
    elsewhere_again: TreeEnsemble
    blocks: TreeEnsemble
    thresholds: tuple[tuple[float, float], ...]

    def probabilities(self, rows: Sequence[Sequence[float]], *, here: bool) -> list[float]:
        """Return the first probability of each proposal from its row of features."""
        return _judged(self.here if here else self.elsewhere, rows)

    def again(self, rows: Sequence[Sequence[float]], *, here: bool) -> list[float]:
        """Return the final probability of each proposal from its row of ``second_look.HERE`` or ``ELSEWHERE``."""
        return _judged(self.here_again if here else self.elsewhere_again, rows)

    def blocks_again(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Return the final probability of each line elsewhere that is inserted or deleted, from its row."""
        return _judged(self.blocks, rows)


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
    here_again, elsewhere_again, blocks = (TreeEnsemble.parse(data[f"{name}_again"]) for name in AGAIN)
    names = [trees.names for trees in (here, elsewhere, here_again, elsewhere_again, blocks)]
    if names != [FEATURES, FEATURES, HERE, ELSEWHERE, ELSEWHERE]:
        raise ValueError(f"{FILE.name} was fitted on other features; run scripts/fit_edits.py and fit_second_look.py")
    thresholds = tuple((float(one), float(both)) for one, both in data["thresholds"])
    return Judge(here, elsewhere, here_again, elsewhere_again, blocks, thresholds)


def first_trees() -> Judge:
    """Return a judge with the shipped first trees, whose second ones must not be asked: they are still to be fitted."""
    data: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    here, elsewhere = TreeEnsemble.parse(data["here"]), TreeEnsemble.parse(data["elsewhere"])
    return Judge(here, elsewhere, here, elsewhere, elsewhere, ())
