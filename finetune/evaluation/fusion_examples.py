"""Words of known outcome that retrieval and a model propose while hunks of commits are typed key by key.

Both are asked at one key in ``every``, with the index of the tree before the commits, and the model is waited for. The
words that either proposes are the examples, as far as the author wrote the words before them. ``fusion_fitting`` fits
on them, and ``scripts/fit_fusion.py`` does so for the regressions that are shipped.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.commits.stages import ProgressReporter, Stage
from finetune.commits.typed_hunks import TypedHunk
from finetune.evaluation.gate_fitting import outcomes
from finetune.evaluation.typed_keys import opened, typed
from indexer.config import Settings
from lsp_server.model.fusion import FEATURES, Fusion, Kind, columns, kinds
from lsp_server.model.joint_words import JointWords, joint_words
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import ModelAnswer, model_request
from lsp_server.model.runner import ModelRunner
from lsp_server.retrieval.engine import Proposals, RetrievalEngine
from lsp_server.retrieval.trees import sigmoid
from lsp_server.types import Request

Floats = NDArray[np.float64]

PATIENCE_S: Final = 300.0
"""How long an answer of the model is waited for."""


@dataclass(frozen=True, eq=False)
class FusionExamples:
    """Words whose outcome is known, by kind.

    :param rows: their features, ``(words, len(FEATURES[kind]))``. :param right: which of them the author wrote.
    :param keys: at which both were asked.
    """

    rows: dict[Kind, Floats]
    right: dict[Kind, NDArray[np.bool_]]
    keys: int = 1

    def losses(self, fusion: Fusion) -> Floats:
        """Return the log loss of each word."""
        found = []
        for kind in Kind:
            probability = sigmoid(self.rows[kind] @ np.array(fusion.weights[kind]))
            found.append(-np.log(np.clip(np.where(self.right[kind], probability, 1 - probability), 1e-9, 1)))
        return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class TypedWindow:
    """What was seen in one window of commits.

    :param about: facts about the window, see ``Stage``. :param hunks: the examples of each hunk.
    """

    about: dict[str, Any]
    hunks: list[FusionExamples] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """At which keys both are asked.

    :param seed: of the keys. :param every: one key in ``every`` is drawn; neighbouring keys have nearly the same words.
    :param windows: among which the time is divided. :param seconds: that all of the typing may take.
    """

    seed: int
    every: int = 2
    windows: int = 1
    seconds: float = float("inf")
    clock: Callable[[], float] = time.monotonic


def collect(
    stages: Iterable[Stage],
    runner: ModelRunner,
    plan: KeyPlan,
    reporter: ProgressReporter,
    done: list[TypedWindow],
) -> None:
    """Fill ``done`` with what is seen in each stage; what a signal ends is there as far as its hunks were typed.

    Each window gets an equal share of the time that is left.
    """
    left = plan.seconds
    for number, stage in enumerate(stages):
        reporter.phase("typing", 0, 0)
        window = TypedWindow(stage.about)
        done.append(window)
        began = plan.clock()
        end = began + left / max(1, plan.windows - number)
        engine = RetrievalEngine(Settings(), stage.index)
        runner.context_builder.set_source(IndexSource(stage.index))
        for place, hunk in enumerate(stage.hunks):
            seen = together(list(_keys(hunk, f"file:///{place}/{hunk.path}", engine, runner, plan, end)))
            window.hunks.append(seen)
            if plan.clock() >= end:
                break
            reporter.case_answered()
        left -= plan.clock() - began


def _keys(
    hunk: TypedHunk, uri: str, engine: RetrievalEngine, runner: ModelRunner, plan: KeyPlan, end: float
) -> Iterator[FusionExamples]:
    """Yield the examples at keys of a hunk."""
    rng, want = random.Random(f"{plan.seed} {uri}"), "\n".join(hunk.lines)
    engine.update(opened(hunk, uri))
    for document, at in typed(hunk, uri):
        engine.update(document)
        request = Request(document, len(hunk.before) + at, True)
        proposals = engine.propose(request, lambda: False)  # at all keys: what was said before is among its evidence
        if rng.random() * plan.every < 1:
            yield examples_of(joined(proposals, answered(runner, request, proposals)), want[at:].split("\n", 1)[0])
            if plan.clock() >= end:
                break
    engine.close(uri)
    runner.context_builder.close(uri)


def answered(runner: ModelRunner, request: Request, proposals: Proposals) -> ModelAnswer:
    """Return the model's own line at a cursor, and what it says about the copies; it is waited for."""
    asked = replace(model_request(Settings(), request, proposals.texts), count=1, single_line=True)
    return runner.ask(asked).wait(time.monotonic() + PATIENCE_S)


def joined(proposals: Proposals, answer: ModelAnswer) -> JointWords:
    """Return the words of both as one tree."""
    judged = proposals.judged
    return joint_words(judged.tree if judged else None, judged.words if judged else None, answer)


def examples_of(joint: JointWords, rest: str) -> FusionExamples:
    """Return the examples at one key.

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
    """Return the examples of several keys as one."""
    rows = {kind: np.concatenate([np.zeros((0, len(FEATURES[kind]))), *(p.rows[kind] for p in parts)]) for kind in Kind}
    right = {kind: np.concatenate([np.zeros(0, bool), *(p.right[kind] for p in parts)]) for kind in Kind}
    return FusionExamples(rows, right, sum(part.keys for part in parts))
