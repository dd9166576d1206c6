"""Fits the gate to a repository's own history, and keeps the fitted gate if it is better there.

The shipped gate was fitted on public histories. A team's code may repeat itself more, or less. So the slope and the
bias of its words are fitted again on the older windows of commits, and judged on the newest window. A better gate is
written to the repository's data folder, where ``lsp_server.retrieval.engine`` reads it. The gate's tree ensemble stays
as shipped. ``own_gate`` decides when a replay may use the fitted gate.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.commits.stages import ProgressReporter, Stage
from finetune.evaluation.intervals import calibration, wilson
from finetune.evaluation.metrics import is_beginning
from finetune.evaluation.replay import documents_of, request_of
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import own_gate_file, repository_directory
from indexer.errors import UserError
from lsp_server.retrieval import gate
from lsp_server.retrieval.gate import Gate
from lsp_server.retrieval.ranker import Ranker, load_trees
from lsp_server.retrieval.word_tree import INPUTS, WordTree, word_tree

MINIMUM: Final = 60
"""Cursors with a suggestion that fitting and judging need, each."""

LEAST_SAVED: Final = 0.9
"""Share of the shipped gate's saved characters that a fitted gate has to save."""


@dataclass(frozen=True, eq=False)
class GateExample:
    """The words at one cursor, and which of them the author wrote.

    :param right: for each node of the tree, whether all words up to it are right.
    """

    tree: WordTree
    right: list[bool]

    @cached_property
    def judged(self) -> list[int]:
        """The nodes whose words before them are right: for these it is known whether the gate is right."""
        return [node for node in range(1, len(self.right)) if self.right[self.tree.parent[node]]]


@dataclass(frozen=True, eq=False)
class GateExamples:
    """The examples of one or more stages.

    :param cases: number of cursors, with and without words.
    """

    examples: list[GateExample]
    cases: int

    @cached_property
    def rows(self) -> NDArray[np.float64]:
        """The judged words, of shape (words, ``len(INPUTS)``)."""
        parts = [one.tree.rows[one.judged] for one in self.examples]
        return np.concatenate(parts) if parts else np.zeros((0, len(INPUTS)))

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which of the judged words the author wrote."""
        return np.array([one.right[node] for one in self.examples for node in one.judged], dtype=bool)


@dataclass(frozen=True, slots=True)
class Refit:
    """The result of fitting: figures of both gates on the newest window.

    :param gain: log loss per word that the fitted gate saves; ``noise``: its standard error.
    :param written: where the fitted gate was written; None if it is not better.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    gain: float
    noise: float
    written: Path | None
    fitted_on: int
    judged_on: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``."""
        return {
            "before": self.before,
            "after": self.after,
            "gain": self.gain,
            "noise": self.noise,
            "written": str(self.written) if self.written else None,
            "fitted_on": self.fitted_on,
            "judged_on": self.judged_on,
        }


def collect(stages: Iterable[Stage], reporter: ProgressReporter) -> list[tuple[GateExamples, dict[str, Any]]]:
    """Return the examples of each stage, without moved lines, and the facts about the stage."""
    retrieval = Ranker(load_trees())
    found = []
    for stage in stages:
        reporter.phase("replaying", 0, 0)
        retrieval.set_index(stage.index)
        examples, cases = [], 0
        for case in stage.cases:
            reporter.case_answered()
            if case.moved:
                continue
            cases += 1
            request = request_of(case, automatic=False)
            for document in documents_of(case):
                retrieval.update(document)
            ranked = retrieval.rank(request.document, request.offset, lambda: False)
            retrieval.close(request.document.uri)
            if ranked is not None and ranked.options:
                tree = word_tree(ranked)
                examples.append(GateExample(tree, outcomes(tree, case.rest)))
        found.append((GateExamples(examples, cases), stage.about))
    return found


def outcomes(tree: WordTree, rest: str) -> list[bool]:
    """Return for each node of a tree whether the author wrote all words up to it.

    :param rest: the author's text from the cursor to the end of the line.
    """
    right = [True]
    for node in range(1, len(tree.text)):
        own = rest == tree.text[node] if tree.ends[node] else is_beginning(tree.text[node], rest)
        right.append(right[tree.parent[node]] and own)
    return right


def refit(collected: list[tuple[GateExamples, dict[str, Any]]], settings: Settings, root: Path) -> Refit:
    """Fit a gate on all stages but the newest, judge it on that one, and write it if it is better there.

    :raises UserError: there are too few cursors with a suggestion.
    """
    parts, (newest, last) = [examples for examples, _ in collected[:-1]], collected[-1]
    older = GateExamples([one for part in parts for one in part.examples], sum(part.cases for part in parts))
    enough = len(older.examples) >= MINIMUM <= len(newest.examples) and 0 < older.right.sum() < len(older.right)
    if not enough:
        raise UserError(
            f"{len(older.examples)} cursors to fit a gate on and {len(newest.examples)} to judge it by are too few"
            f" ({MINIMUM} each are needed)",
            "raise --cases and --commits",
        )
    shipped, fitted = Gate.shipped(), gate.fit(older.rows, older.right)
    before, after = (_figures(one, newest, settings.precision) for one in (shipped, fitted))
    gains = _losses(shipped, newest) - _losses(fitted, newest)
    gain, noise = float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
    path = None
    if gain > noise and as_useful(before, after, settings.precision):
        repository_directory(settings, root)
        path = own_gate_file(settings, root)
        about = {
            "fitted_until": collected[-2][1].get("newest"),
            "judged_until": last.get("newest"),
            "cursors": len(older.examples),
            "before": before,
            "after": after,
        }
        fsio.replace_file(path, (json.dumps({**json.loads(fitted.dumps()), "about": about}) + "\n").encode())
    return Refit(before, after, round(gain, 5), round(noise, 5), path, len(older.examples), len(newest.examples))


def as_useful(before: dict[str, Any], after: dict[str, Any], precision: float) -> bool:
    """Return whether a fitted gate shows enough.

    It may save fewer characters than the shipped one only if that one was less often right than the user wants, and it
    must not fall silent.
    """
    if before["coverage"] and not after["coverage"]:
        return False
    too_bold = before["precision"] is not None and before["precision"] < precision
    return bool(too_bold or after["saved"] >= LEAST_SAVED * before["saved"])


def _losses(one: Gate, examples: GateExamples) -> NDArray[np.float64]:
    """Return the log loss of each judged word."""
    probability = one.probabilities(examples.rows)
    losses: NDArray[np.float64] = -np.log(np.clip(np.where(examples.right, probability, 1 - probability), 1e-9, 1))
    return losses


def _figures(one: Gate, examples: GateExamples, precision: float) -> dict[str, Any]:
    """Measure a gate on examples: what it would show at a wanted precision, and how much of that is right."""
    shown = hits = saved = 0
    for example in examples.examples:
        choice = gate.decide(example.tree, one.probabilities(example.tree.rows), precision).shown
        if choice is not None:
            shown += 1
            hits += example.right[choice.node]
            saved += len(choice.text) if example.right[choice.node] else 0
    return {
        "log_loss": round(float(_losses(one, examples).mean()), 4),
        "calibration_error": round(calibration(one.probabilities(examples.rows), examples.right)[0], 4),
        "coverage": round(shown / max(1, examples.cases), 4),
        "precision": round(hits / shown, 4) if shown else None,
        "precision_interval": [round(x, 4) for x in wilson(hits, shown)] if shown else None,
        "saved": round(saved / max(1, examples.cases), 3),
    }
