"""Fits the fusion of retrieval and a model to replayed commits; a repository's own is kept if it is better there.

At each cursor retrieval and the model are asked as in an editor. The words that either proposes are the examples, as
far as the author wrote the words before them. ``scripts/fit_fusion.py`` fits the shipped regressions on public
histories; ``ondol eval --fit-model`` fits a team's own on the older windows of commits and judges them on the newest.
Replays always use the shipped ones, which have seen none of their commits.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.commits.cases import Case
from finetune.commits.stages import ProgressReporter, Stage
from finetune.evaluation.gate_fitting import outcomes
from finetune.evaluation.replay import documents_of, request_of
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import own_fusion_file, repository_directory
from indexer.errors import UserError
from lsp_server.model.fusion import FEATURES, Fusion, Kind, columns, kinds
from lsp_server.model.joint_words import JointWords, joint_words
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import ModelAnswer, model_request
from lsp_server.model.runner import ModelRunner
from lsp_server.retrieval.engine import Proposals, RetrievalEngine
from lsp_server.retrieval.trees import sigmoid

Floats = NDArray[np.float64]

MINIMUM: Final = 60
"""Cursors with a text of the model that fitting and judging need, each."""

OWN_PULL: Final = 20.0
"""Weight of the shipped regressions where a repository's own are fitted, in examples at even odds."""

_PATIENCE_S: Final = 300.0


@dataclass(frozen=True, eq=False)
class FusionExamples:
    """Words whose outcome is known, by kind.

    :param rows: their features, ``(words, len(FEATURES[kind]))``. :param right: which of them the author wrote.
    """

    rows: dict[Kind, Floats]
    right: dict[Kind, NDArray[np.bool_]]
    cursors: int = 1

    def losses(self, fusion: Fusion) -> Floats:
        """Return the log loss of each word."""
        found = []
        for kind in Kind:
            probability = sigmoid(self.rows[kind] @ np.array(fusion.weights[kind]))
            found.append(-np.log(np.clip(np.where(self.right[kind], probability, 1 - probability), 1e-9, 1)))
        return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class FusionFit:
    """The result of fitting a repository's own fusion: log loss per word on the newest window, before and after.

    :param noise: standard error of the difference. :param written: where it was written; None if it is not better.
    """

    before: float
    after: float
    noise: float
    written: Path | None
    fitted_on: int
    judged_on: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``."""
        return {**asdict(self), "written": str(self.written) if self.written else None}

    def sentences(self) -> list[str]:
        """Return the result in sentences."""
        compared = f"log loss of a word {self.before:.4f} as shipped, {self.after:.4f} fitted, on the newest window"
        facts = f"Fitted on {self.fitted_on:,} cursors, judged on {self.judged_on:,}: {compared}."
        if self.written is None:
            return [facts, "Not clearly better here, so the shipped one stays."]
        return [facts, f"Better here, so it is used from now on: {self.written}", "Delete that file to go back."]


def examples_of(joint: JointWords, rest: str) -> FusionExamples:
    """Return the examples at one cursor.

    :param rest: the author's text from the cursor to the end of the line.
    """
    right = np.array(outcomes(joint.tree, rest))
    known = np.array([parent >= 0 and bool(right[parent]) for parent in joint.tree.parent])
    seen, found = columns(joint), kinds(joint)
    rows, outcome = {}, {}
    for kind in Kind:
        here = known & (found == kind)
        rows[kind] = np.column_stack([seen[name][here] for name in FEATURES[kind]])
        outcome[kind] = right[here]
    return FusionExamples(rows, outcome)


def together(parts: Sequence[FusionExamples]) -> FusionExamples:
    """Return the examples of several cursors as one."""
    rows = {kind: np.concatenate([np.zeros((0, len(FEATURES[kind]))), *(p.rows[kind] for p in parts)]) for kind in Kind}
    right = {kind: np.concatenate([np.zeros(0, bool), *(p.right[kind] for p in parts)]) for kind in Kind}
    return FusionExamples(rows, right, sum(part.cursors for part in parts))


def collect(
    stages: Iterable[Stage], runner: ModelRunner, reporter: ProgressReporter
) -> list[tuple[FusionExamples, dict[str, Any]]]:
    """Return the examples of each stage, without moved lines, and the facts about the stage."""
    retrieval, found = RetrievalEngine(Settings(), None), []
    for stage in stages:
        reporter.phase("replaying", 0, 0)
        retrieval.set_index(stage.index)
        runner.context_builder.set_source(IndexSource(stage.index))
        parts = []
        for case in stage.cases:
            reporter.case_answered()
            if case.moved:
                continue
            proposals, answer = ask(retrieval, runner, case)
            if answer.texts:
                parts.append(examples_of(joined(proposals, answer), case.rest.rstrip()))
        found.append((together(parts), stage.about))
    return found


def ask(retrieval: RetrievalEngine, runner: ModelRunner, case: Case) -> tuple[Proposals, ModelAnswer]:
    """Return what retrieval proposes at a cursor, and what the model writes there; it is waited for."""
    request = request_of(case, automatic=False)
    for document in documents_of(case):
        retrieval.update(document)
    proposals = retrieval.propose(request, lambda: False)
    asked = replace(model_request(Settings(), request, proposals.texts), count=1, single_line=True)
    answer = runner.ask(asked).wait(time.monotonic() + _PATIENCE_S)
    retrieval.close(request.document.uri)
    runner.context_builder.close(request.document.uri)
    return proposals, answer


def joined(proposals: Proposals, answer: ModelAnswer) -> JointWords:
    """Return the words of both as one tree."""
    judged = proposals.judged
    return joint_words(judged.tree if judged else None, judged.words if judged else None, answer)


def fit(examples: FusionExamples, towards: Fusion | None = None, pull: float = 1.0) -> Fusion:
    """Fit the four regressions by Newton's method.

    :param towards: the coefficients of the prior; None for retrieval's own probability wherever there is one.
    :param pull: weight of the prior.
    """
    weights = {}
    for kind in Kind:
        names, x, y = FEATURES[kind], examples.rows[kind], examples.right[kind].astype(np.float64)
        prior = np.array(towards.weights[kind] if towards else [float(name == "copied") for name in names])
        beta = prior.copy()
        for _ in range(60):
            p = sigmoid(x @ beta)
            curvature = (x * (p * (1 - p))[:, None]).T @ x + pull * np.eye(len(prior))
            beta = beta + np.linalg.solve(curvature, x.T @ (y - p) - pull * (beta - prior))
        weights[kind] = tuple(float(one) for one in beta)
    return Fusion(weights)


def refit(collected: list[tuple[FusionExamples, dict[str, Any]]], settings: Settings, root: Path) -> FusionFit:
    """Fit on all stages but the newest, judge on that one, and write the result if it is better there.

    :raises UserError: there are too few cursors where the model wrote something.
    """
    older, (newest, last) = together([examples for examples, _ in collected[:-1]]), collected[-1]
    if min(older.cursors, newest.cursors) < MINIMUM:
        raise UserError(
            f"{older.cursors} cursors to fit on and {newest.cursors} to judge by are too few"
            f" ({MINIMUM} each are needed)",
            "raise --cases and --commits",
        )
    shipped = Fusion.load()
    fitted = fit(older, shipped, OWN_PULL)
    before, after = newest.losses(shipped), newest.losses(fitted)
    gains, path = before - after, None
    noise = float(gains.std() / np.sqrt(len(gains)))
    if gains.mean() > noise:
        repository_directory(settings, root)
        path = own_fusion_file(settings, root)
        about = {"fitted_until": collected[-2][1].get("newest"), "judged_until": last.get("newest")}
        fsio.replace_file(path, (json.dumps({**json.loads(fitted.dumps()), "about": about}) + "\n").encode())
    return FusionFit(
        round(float(before.mean()), 4),
        round(float(after.mean()), 4),
        round(noise, 5),
        path,
        older.cursors,
        newest.cursors,
    )
