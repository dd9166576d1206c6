"""Decides word by word how much of the best options is shown automatically.

A tree ensemble gives each word of a :class:`WordTree` the probability that the author writes it, given that the words
before it are right. A slope and a bias correct its log-odds (Platt scaling). ``scripts/fit_gate.py`` fits the ensemble
on public histories, typed key by key; ``ondol eval --fit-gate`` fits the two numbers on a repository's own history.

A text is cut where the probability of all its words together falls below the user's ``precision``. What is left is
shown if it is expected to save enough keys.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lsp_server.hangul import keys
from lsp_server.retrieval.ranker import Ranked
from lsp_server.retrieval.trees import TreeEnsemble, sigmoid
from lsp_server.retrieval.word_tree import INPUTS, WordTree, words_of

TREES: Final = Path(__file__).parents[1] / "data" / "gate.json"

WORTH: Final = 8.0
"""Keys that a text has to be expected to save, from which it is shown; a Hangul syllable takes two or three."""

LEAST: Final = 3
"""Characters of the shortest text that is shown automatically."""

TRIED: Final = 3
"""Parts that are tried for an automatic request, where the best ones do not fit the document."""

SEVERAL: Final = 0.75
"""Part of the wanted precision that a text of several lines has to reach as a whole: with the default setting, half of
those shown should be right to their end. Each of its lines has to reach the precision by itself."""

MORE_LINES: Final = 3
"""Lines after the first that are shown automatically, at most; each copied one costs one more retrieval."""

KIND: Final = "words"
"""Names the form of a fitted gate's file; earlier versions judged whole lines."""

Floats = NDArray[np.float64]
Allowed = Callable[[str, bool], bool]
"""Whether a text may be added at the cursor; the second argument says whether the line ends behind it."""


def _all_allowed(text: str, ends: bool) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Choice:
    """The part of an option that is probable enough.

    :param node: its last word in the tree. :param option: the number of the option. :param text: the part.
    :param ends: whether the line is expected to end behind it.
    :param probability: that the author writes all of it. :param worth: keys that it is expected to save.
    """

    node: int
    option: int
    text: str
    ends: bool
    probability: float
    worth: float


@cache
def shipped_trees() -> TreeEnsemble:
    """Return the shipped ensemble.

    :raises ValueError: it was fitted for other inputs.
    """
    trees = TreeEnsemble.load(TREES)
    if trees.names != INPUTS:
        raise ValueError(f"{TREES.name} was fitted for other inputs; run scripts/fit_gate.py")
    return trees


@dataclass(frozen=True, eq=False)
class Gate:
    """A calibrated gate: the probability of a word is sigmoid(slope * score of the trees + bias)."""

    trees: TreeEnsemble
    slope: float = 1.0
    bias: float = 0.0

    @classmethod
    def shipped(cls) -> "Gate":
        """Return the gate that was fitted on public histories."""
        return cls(shipped_trees())

    @classmethod
    def load(cls, path: Path) -> "Gate":
        """Return the gate that was fitted on a repository.

        :raises ValueError: the file is no gate of this version.
        """
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise ValueError(f"{path} is no gate of this version; fit it again with ondol eval --fit-gate")
        try:
            return cls(shipped_trees(), float(data["slope"]), float(data["bias"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no whole gate; fit it again with ondol eval --fit-gate") from error

    def dumps(self) -> str:
        """Return the calibration as JSON, without the trees."""
        return json.dumps({"kind": KIND, "slope": round(self.slope, 6), "bias": round(self.bias, 6)}) + "\n"

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each word, given the words before it.

        :param rows: ``(words, len(INPUTS))``, as in ``WordTree.rows``.
        """
        return sigmoid(self.slope * self.trees.scores(rows) + self.bias)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate makes of a tree.

    :param probability: of the part that is probable enough, or of the next word where there is none.
    :param part: the part that is probable enough, if its next word is too; ``shown``: the same if it saves enough.
    """

    probability: float
    part: Choice | None
    shown: Choice | None


def least_next_word(precision: float) -> float:
    """Return how probable the next word has to be (:func:`decide`)."""
    return math.sqrt(precision)


def decide(tree: WordTree, words: Floats, precision: float, allowed: Allowed = _all_allowed) -> Decision:
    """Decide which part of the options is shown automatically.

    The next word has to be as sure as the square root of the wanted precision: two such words give the precision.
    Without this rule 2 to 3 points more of the texts begin with a wrong word.

    :param words: the probability of each node. :param allowed: keeps texts out.
    """
    next_word = float(words[tree.children[0]].max(initial=0.0))
    part = choose(tree, words, precision, allowed)
    if part is None or next_word < least_next_word(precision):
        return Decision(part.probability if part else next_word, None, None)
    enough = len(part.text.strip()) >= LEAST and part.worth >= WORTH
    return Decision(part.probability, part, part if enough else None)


def decisions(tree: WordTree, words: Floats, precision: float, allowed: Allowed = _all_allowed) -> Iterator[Decision]:
    """Yield decisions, each given that the author writes nothing of what those before would show; ``TRIED`` at most.

    :param words: the probability of each node. :param allowed: keeps texts out.
    """
    for _ in range(TRIED):
        decision = decide(tree, words, precision, allowed)
        yield decision
        if decision.shown is None:
            return
        words = ruled_out(tree, words, decision.shown.node)


def choose(tree: WordTree, words: Floats, precision: float, allowed: Allowed = _all_allowed) -> Choice | None:
    """Return the longest part of an option that is right with the wanted probability; None if there is none.

    The most probable word comes next, and the line's end if that is most probable. A part that is not allowed gives way
    to a shorter one, or to the next most probable one.

    :param words: the probability of each node. :param allowed: keeps texts out.
    """

    def best(node: int, probability: float, worth: float) -> Choice | None:
        for child in sorted(tree.children[node], key=lambda one: -words[one]):
            both = probability * float(words[child])
            if both < precision:
                break
            if tree.ends[child]:
                return made(node, True, both, worth)
            gained = both * len(keys(tree.word(child)))
            if (found := best(child, both, worth + gained)) is not None:
                return found
        return made(node, False, probability, worth)

    def made(node: int, ends: bool, probability: float, worth: float) -> Choice | None:
        text = tree.text[node]
        if not text.strip() or not allowed(text, ends):
            return None
        return Choice(node, tree.option[node], text, ends, probability, worth)

    return best(0, 1.0, 0.0)


def may_follow(probability: float, line: float, precision: float) -> bool:
    """Return whether a further line is shown automatically.

    :param probability: that the author writes all before it. :param line: that the author writes it then.
    """
    return line >= precision and probability * line >= SEVERAL * precision


def ruled_out(tree: WordTree, words: Floats, node: int) -> Floats:
    """Return the probability of each word, given that the author does not write the text up to a node.

    What the text would have taken goes to its rivals, and to its own beginning as far as that has other endings.

    :param words: the probability of each node, given the words before it.
    """
    path = []
    while node:
        path.append(node)
        node = tree.parent[node]
    whole, before = float(np.prod(words[path])), 1.0
    out = words.copy()
    for one in reversed(path):
        upto, left = before * float(words[one]), max(before - whole, 1e-9)
        siblings = tree.children[tree.parent[one]]
        out[siblings] = np.minimum(words[siblings] * before / left, 1.0)
        out[one] = max(0.0, upto - whole) / left
        before = upto
    return out


def made_likely(tree: WordTree, words: Floats, text: str, probability: float, *, ends: bool) -> Floats:
    """Return the probability of each word, given that the author writes a text with a probability; as it was if higher.

    What is unsure in the text grows most, and its rivals become as much less probable.

    :param words: the probability of each node, given the words before it. :param ends: whether the line ends behind it.
    """
    spelled = words_of(text)
    path = tree.path(spelled)
    if not path or len(path) != len(spelled):
        return words
    if ends and tree.text[path[-1]] == text:
        path += [child for child in tree.children[path[-1]] if tree.ends[child]]
    sure = np.clip(words[path], 1e-6, 1 - 1e-6)
    whole = float(np.log(sure).sum())
    if whole >= math.log(probability):
        return words
    out = words.copy()
    for node, before, now in zip(path, sure, sure ** (math.log(probability) / whole), strict=True):
        out[tree.children[tree.parent[node]]] *= (1 - now) / (1 - before)
        out[node] = now
    return out


def with_expected_row(ranked: Ranked, tree: WordTree, words: Floats) -> Floats:
    """Return the probability of each word, with that of the row that the document asks for, which the gate lacks."""
    row = ranked.expected
    if row is None:
        return words
    return made_likely(tree, words, ranked.options[0].text, row.probability, ends=row.ends)


def line_probability(tree: WordTree, words: Floats, text: str) -> float | None:
    """Return the probability that the line goes on with a whole text and ends there; None if the tree lacks its end."""
    node, probability = 0, 1.0
    while True:
        for child in tree.children[node]:
            if text.startswith(tree.text[child]) and (not tree.ends[child] or text == tree.text[node]):
                node = child
                probability *= float(words[child])
                break
        else:
            return None
        if tree.ends[node]:
            return probability


def fit(rows: Floats, right: NDArray[np.bool_], trees: TreeEnsemble | None = None) -> Gate:
    """Fit a gate to words with known outcome.

    :param rows: ``(words, len(INPUTS))``. :param right: ``(words,)``. :param trees: None for the shipped ones.
    """
    trees = trees or shipped_trees()
    return Gate(trees, *calibrate(trees.scores(rows), right))


def calibrate(scores: Floats, right: NDArray[np.bool_], pull: float = 2.0) -> tuple[float, float]:
    """Fit slope and bias that turn log-odds into probabilities of these outcomes, by Newton's method.

    :param pull: weight of the prior that slope and bias are 1 and 0.
    """
    x = np.column_stack((scores, np.ones(len(scores))))
    prior = np.array([1.0, 0.0])
    beta = prior.copy()

    def loss(at: Floats) -> float:
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
