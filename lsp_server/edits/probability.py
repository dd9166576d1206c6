"""The probability that a proposal is what the author wants: boosted trees over its evidence.

``scripts/fit_edits.py`` fits the trees on histories of public repositories.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from lsp_server.edits.features import FEATURES
from lsp_server.retrieval.trees import TreeEnsemble, sigmoid

FILE: Final = Path(__file__).parent.parent / "data" / "edits.json"


@dataclass(frozen=True, eq=False)
class Judge:
    """The trees for a line under the cursor and for lines elsewhere, and the thresholds of both.

    :param thresholds: least probability to be offered at the cursor, elsewhere in its document, in another file; for
        each of these without and with agreement of two edits (``features.agreed``).
    """

    here: TreeEnsemble
    elsewhere: TreeEnsemble
    thresholds: tuple[tuple[float, float], ...]

    def probabilities(self, rows: Sequence[Sequence[float]], *, here: bool) -> list[float]:
        """Return the probability of each proposal from its row of features."""
        if not rows:
            return []
        scores = (self.here if here else self.elsewhere).scores(np.array(rows, np.float64))
        found: list[float] = np.asarray(sigmoid(scores)).tolist()
        return found


@cache
def shipped() -> Judge:
    """Return the judge that Ondol ships.

    :raises ValueError: it was fitted on other features; run scripts/fit_edits.py.
    """
    data: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    here, elsewhere = TreeEnsemble.parse(data["here"]), TreeEnsemble.parse(data["elsewhere"])
    if here.names != FEATURES or elsewhere.names != FEATURES:
        raise ValueError(f"{FILE.name} was fitted on other features; run scripts/fit_edits.py")
    return Judge(here, elsewhere, tuple((float(one), float(both)) for one, both in data["thresholds"]))
