"""Turns what retrieval and a model say about each word into one probability, by four small logistic regressions.

A word of a copy that the model writes too, one of a copy that it does not write, one of a copy about which it says
nothing, and one that it alone proposes have a regression each. ``scripts/fit_fusion.py`` fits them on lines of public
repositories typed key by key, with a real model; ``ondol eval --fit-model`` on lines of a team's own history.
"""

import json
import logging
import math
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.config import Settings
from indexer.data_layout import own_fusion_file
from lsp_server.model.joint_words import JointWords
from lsp_server.retrieval.trees import sigmoid

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)

SHIPPED: Final = Path(__file__).parents[1] / "data" / "fusion.json"

KIND: Final = "word fusion"
"""Names the form of a fitted file; earlier versions weighed whole lines."""

_LEAST: Final = 1e-4
_LOWEST_LOGPROB: Final = -12.0


class Kind(IntEnum):
    """Who proposes a word."""

    AGREED = 0
    COPIED = 1
    UNKNOWN = 2
    OWN = 3


FEATURES: Final = {
    Kind.AGREED: ("constant", "copied", "logprob", "model_odds", "rival", "letters", "ends"),
    Kind.COPIED: ("constant", "copied", "logprob", "rival", "ends"),
    Kind.UNKNOWN: ("constant", "copied", "rival", "ends"),
    Kind.OWN: ("constant", "logprob", "model_odds", "rival", "free", "letters", "ends", "before"),
}
"""What the regression of each kind sees of a word.

``copied`` are the log-odds of retrieval, ``logprob`` is that of the model and ``model_odds`` its log-odds; ``rival``
are retrieval's log-odds of the most probable other word at this place, and ``free`` those that none of its words comes;
``letters`` and ``before`` are the logarithms of the lengths of the word and of the text before it.
"""


def kinds(joint: JointWords) -> NDArray[np.int64]:
    """Return the :class:`Kind` of each word."""
    found = np.where(joint.own, Kind.AGREED, np.where(np.isnan(joint.logprob), Kind.UNKNOWN, Kind.COPIED))
    return np.where(np.isnan(joint.copied), Kind.OWN, found).astype(np.int64)


def columns(joint: JointWords) -> dict[str, Floats]:
    """Return the features of each word; those of the root mean nothing."""
    tree, size = joint.tree, len(joint.tree.text)
    copied = np.nan_to_num(joint.copied)
    rival, free = np.zeros(size), np.zeros(size)
    for children in tree.children:
        taken = sum(copied[child] for child in children)
        for child in children:
            rival[child] = max((copied[other] for other in children if other != child), default=0.0)
            free[child] = 1 - taken
    logprob = np.maximum(np.nan_to_num(joint.logprob, nan=_LOWEST_LOGPROB), _LOWEST_LOGPROB)
    return {
        "constant": np.ones(size),
        "copied": _odds(copied),
        "logprob": logprob,
        "model_odds": _odds(np.exp(logprob)),
        "rival": _odds(rival),
        "free": _odds(free),
        "letters": np.array([math.log1p(len(tree.word(node).strip())) for node in range(size)]),
        "ends": np.array(tree.ends, np.float64),
        "before": np.array([math.log1p(len(tree.text[max(parent, 0)])) for parent in tree.parent]),
    }


def _odds(probability: Floats) -> Floats:
    clipped = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.log(clipped / (1 - clipped))


@dataclass(frozen=True, slots=True)
class Fusion:
    """Fitted regressions.

    :param weights: by kind, the coefficients of its ``FEATURES``.
    """

    weights: dict[Kind, tuple[float, ...]]

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Fusion":
        """Return the regressions in a JSON file.

        :raises ValueError: the file holds none of this version.
        """
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise ValueError(f"{path} is no fusion of this version; fit it again with ondol eval --fit-model")
        try:
            weights = {kind: tuple(float(data[kind.name.lower()][name]) for name in FEATURES[kind]) for kind in Kind}
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no whole fusion; fit it again with ondol eval --fit-model") from error
        return cls(weights)

    @classmethod
    def of_repository(cls, settings: Settings, root: Path) -> "Fusion":
        """Return the regressions that were fitted on a repository, or the shipped ones where it has none."""
        try:
            return cls.load(own_fusion_file(settings, root))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("the repository's own fusion is not used: %s", error)
        return cls.load()

    def dumps(self) -> str:
        """Return the regressions as JSON."""
        rows = {
            kind.name.lower(): {
                name: round(weight, 4) for name, weight in zip(FEATURES[kind], self.weights[kind], strict=True)
            }
            for kind in Kind
        }
        return json.dumps({"kind": KIND, **rows}, indent=2) + "\n"

    def probabilities(self, joint: JointWords) -> Floats:
        """Return the probability of each word, given the words before it."""
        seen, found = columns(joint), kinds(joint)
        out = np.zeros(len(found))
        for kind in Kind:
            here = found == kind
            out[here] = sigmoid(np.column_stack([seen[name][here] for name in FEATURES[kind]]) @ self.weights[kind])
        return out
