"""The words of copies and of the model's own line as one tree, with what both say about each word.

Retrieval's gate gives a word its probability, given the words before it. The model does so for the words of its own
line, and for those of a copy as far as the copy agrees with that line, and for the first word that does not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lsp_server.backends.base import Judgement
from lsp_server.model.requests import ModelAnswer
from lsp_server.retrieval.word_tree import WordTree, words_of

Floats = NDArray[np.float64]

OWN: Final = -1
"""The number of the option, for words that the model alone proposes."""

_UNKNOWN_LINE: Final = -3.0
"""Log-probability of a line of a model that says nothing about it, as of a server."""


@dataclass(frozen=True, eq=False)
class JointWords:
    """The joint tree. All arrays have one entry for each node; those of the root mean nothing.

    :param copied: retrieval's probability of each word, given the words before it; NaN for words of the model alone.
    :param logprob: the model's log-probability of each word, given the words before it; NaN where it is not known.
    :param own: whether the model wrote the word.
    """

    tree: WordTree
    copied: Floats
    logprob: Floats
    own: NDArray[np.bool_]


def joint_words(tree: WordTree | None, words: Floats | None, answer: ModelAnswer) -> JointWords:
    """Join the words of copies with what a model wrote.

    :param tree: of the copies; None where there are none. :param words: the probability of each of its nodes.
    """
    joint = tree.copy() if tree is not None else WordTree()
    copied = list(words) if words is not None else [np.nan]
    logprob, own = [np.nan] * len(copied), [False] * len(copied)
    spelled = words_of(own_line(answer))
    known = _evenly(spelled, answer.line_logprob) if answer.own is None else _logprobs(spelled, answer.own)
    node = 0
    for word, one in zip([*spelled, ""] if spelled else [], known, strict=False):
        if not word and np.isnan(one):  # the line was cut off: nobody knows where it ends
            break
        child = _child(joint, node, word)
        if child is None:
            child = joint.add(node, word, OWN)
            copied.append(np.nan)
            logprob.append(np.nan)
            own.append(False)
        logprob[child], own[child] = one, True
        node = child
    for text, judged in answer.judged.items():
        copy, left = words_of(text), 0.0
        for found, one in zip(_path(joint, copy), _logprobs(copy, judged), strict=False):
            # A token that differs from the model's may begin with the same word: the difference is the next word's.
            here, before = one + left, logprob[found]
            left = min(0.0, here - before) if not np.isnan(here + before) else 0.0
            logprob[found] = float(np.fmax(here, before))
    return JointWords(joint, np.array(copied), np.array(logprob), np.array(own))


def own_line(answer: ModelAnswer) -> str:
    """Return the first line of what the model wrote; "" for nothing."""
    return answer.texts[0].split("\n", 1)[0].rstrip() if answer.texts else ""


def _logprobs(words: Sequence[str], judged: Judgement) -> list[float]:
    """Return the log-probability of each word and of the line's end; NaN from where it is not known.

    A token that spans several words counts for the word in which it begins, so their product stays the same.
    """
    found, at, starts = [], 0, (0, *judged.ends[:-1])
    reached = judged.ends[-1] if judged.ends else 0
    for word in words:
        inside = [one for start, one in zip(starts, judged.logprobs, strict=False) if at <= start < at + len(word)]
        found.append(sum(inside) if inside or reached > at else np.nan)
        at += len(word)
    return [*found, judged.over if judged.over is not None and reached >= at else np.nan]


def _evenly(words: Sequence[str], line: float | None) -> list[float]:
    """Return the same log-probability for each word and the end, for a model that says nothing about its words."""
    count = len(words) + 1
    return [(line if line is not None else _UNKNOWN_LINE) / count] * count if words else []


def _child(tree: WordTree, node: int, word: str) -> int | None:
    """Return the node of a word after a node; "" is the end of the line."""
    return next((one for one in tree.children[node] if tree.ends[one] == (not word) and tree.word(one) == word), None)


def _path(tree: WordTree, words: Sequence[str]) -> Iterator[int]:
    """Return the nodes of a line's words and of its end, as far as the tree has them."""
    node = 0
    for word in (*words, ""):
        child = _child(tree, node, word)
        if child is None:
            return
        yield child
        node = child
