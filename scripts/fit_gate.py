"""Fits the gate that Ondol ships, on the commit histories of public repositories, typed key by key.

    python scripts/fit_gate.py collect --work DIR REPOSITORY...      the words at each key, one .npz a repository
    python scripts/fit_gate.py fit --work DIR [--held-out NAME...]   lsp_server/data/gate.json, fitted further

Hunks of added lines are drawn from windows of commits, with an index of the tree before the window, as the typing
replay draws them (``typed_hunks``). At keys of a hunk, one in ``EVERY``, the ranker's options become a tree of words
(``word_tree``). A word is an example if all words before it are right, and it is right if the author wrote it. Some
hunks are typed with nothing below them, since much code is written at the end of a file. Whatever the gate shows, the
author's text is the same, so any policy can be simulated on the rows.

The shipped gate is fitted further: its trees stay, and new ones correct their log-odds on the examples. Its trees
were fitted on thirty repositories, seventeen of them in an earlier form of the replay. Trees from scratch are better on
such examples, and worse in small repositories, where few places speak for a text (``docs/log.md``).

What the best options said at earlier keys of a line is among the inputs. One example in ``ALONE`` is fitted without it,
since a user may click into a line and ask there first.

The ranker must not have been fitted on these repositories: it would be surer of them than of others. LightGBM is needed
for fitting only.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from fit_steps import Sample, name_of, parts_of, run
from lightgbm_trees import trees_of

from finetune.commits.typed_hunks import TypedHunk, draw
from finetune.commits.windows import SkipReport
from finetune.evaluation.gate_fitting import outcomes
from finetune.evaluation.typed_keys import opened, typed
from lsp_server.retrieval.gate import TREES
from lsp_server.retrieval.ranker import Ranker, load_trees
from lsp_server.retrieval.trees import TreeEnsemble, sigmoid
from lsp_server.retrieval.word_tree import INPUTS, NOTHING_SAID, word_tree

SEED: Final = 20261126
PARAMETERS: Final = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_depth": 6,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "verbose": -1,
    "num_threads": 1,
    "seed": SEED,
    "deterministic": True,
}
ROUNDS: Final = 120
ALONE: Final = 3
AT_END: Final = 0.15
"""Share of the hunks that are typed with nothing below them."""

EVERY: Final = 4
"""One key in ``EVERY`` is recorded: neighbouring keys have nearly the same words. The engine is asked at all of them,
since what it said at earlier keys of a line is among the inputs."""


def examples(hunk: TypedHunk, ranker: Ranker, rng: random.Random) -> Iterator[tuple[np.ndarray, list[bool]]]:
    """Yield for keys of a hunk the rows of the words that are examples, and whether each is right."""
    want, uri = "\n".join(hunk.lines), f"file:///{hunk.path}"
    ranker.update(opened(hunk, uri))
    for document, at in typed(hunk, uri):
        ranker.update(document)
        ranked = ranker.rank(document, len(hunk.before) + at, lambda: False)
        if ranked is not None and ranked.options and rng.random() * EVERY < 1:
            tree = word_tree(ranked)
            right = outcomes(tree, want[at:].split("\n", 1)[0])
            nodes = [node for node in range(1, len(right)) if right[tree.parent[node]]]
            yield tree.rows[nodes].astype(np.float32), [right[node] for node in nodes]


def collect(root: Path, work: Path, sample: Sample) -> None:
    """Write the examples of a repository."""
    name, rng = name_of(root), random.Random(SEED)
    rows, right, typed_hunks = [], [], 0
    for part in parts_of(root, work, sample, SkipReport()):
        for hunk in draw(part.edits, part.amount, SEED, SkipReport()):
            if rng.random() < AT_END:
                hunk = replace(hunk, after=(), replaced=())
            ranker = Ranker(load_trees())
            ranker.set_index(part.index)
            typed_hunks += 1
            for words, outcome in examples(hunk, ranker, rng):
                rows.append(words)
                right += outcome
    np.savez(work / f"{name}.npz", rows=np.concatenate(rows), right=np.array(right))
    print(name, typed_hunks, "hunks", len(right), "words", round(float(np.mean(right)), 3), "right", flush=True)


def load(work: Path, held_out: list[str], only: bool) -> list[tuple[Any, Any]]:
    """Return rows and outcomes of the repositories that are held out, or of the others."""
    found = []
    for path in sorted(work.glob("*.npz")):
        if (path.stem in held_out) == only:
            with np.load(path) as data:
                found.append((data["rows"], data["right"]))
    return found


def log_loss(said: np.ndarray, right: np.ndarray) -> float:
    """Return the mean log loss of probabilities."""
    return float(-np.log(np.clip(np.where(right, said, 1 - said), 1e-9, 1)).mean())


def scores(trees: TreeEnsemble, rows: np.ndarray) -> np.ndarray:
    """Return the log-odds of rows, a few thousand at a time."""
    return np.concatenate([trees.scores(part.astype(float)) for part in np.array_split(rows, len(rows) // 4000 + 1)])


def shipped() -> TreeEnsemble:
    """Return the shipped trees, which may have been fitted for fewer inputs than there are now."""
    found = TreeEnsemble.load(TREES)
    column = np.array([INPUTS.index(name) for name in found.names])
    return replace(found, names=INPUTS, feature=column[found.feature])


def joined(one: TreeEnsemble, other: TreeEnsemble) -> TreeEnsemble:
    """Return an ensemble whose scores are the sum of two."""
    behind, chain = len(one.feature), np.concatenate
    return TreeEnsemble(
        one.names,
        chain((one.feature, other.feature)),
        chain((one.threshold, other.threshold)),
        chain((one.left, other.left + behind)),
        chain((one.right, other.right + behind)),
        chain((one.value, other.value)),
        chain((one.roots, other.roots + behind)),
        max(one.depth, other.depth),
    )


def fit(work: Path, held_out: list[str]) -> None:
    """Fit the shipped gate further on all repositories but the held-out ones, and print its calibration on those."""
    import lightgbm

    seen, before = load(work, held_out, only=False), shipped()
    rows, right = np.concatenate([x for x, _ in seen]), np.concatenate([y for _, y in seen])
    start = scores(before, rows)
    alone = np.random.default_rng(SEED).integers(ALONE, size=len(rows)) == 0
    for name, value in NOTHING_SAID.items():
        rows[alone, INPUTS.index(f"word_{name}")] = value
    data = lightgbm.Dataset(rows, right.astype(int), feature_name=list(INPUTS), init_score=start)
    further = joined(before, trees_of(lightgbm.train(PARAMETERS, data, ROUNDS), INPUTS))
    TREES.write_text(further.dumps())
    print(len(seen), "repositories", len(right), "words")
    for words, outcome in load(work, held_out, only=True):
        said = sigmoid(scores(further, words))
        old = sigmoid(scores(before, words))
        print("log loss", round(log_loss(old, outcome), 4), "before,", round(log_loss(said, outcome), 4), "now")
        for low in np.arange(0, 1, 0.1):
            part = (said >= low) & (said < low + 0.1)
            if part.any():
                print(f"said {said[part].mean():.3f}, right {outcome[part].mean():.3f}, {part.sum()} words")


if __name__ == "__main__":
    run(__doc__, collect, fit, Sample(commits=100, windows=1, amount=40))
