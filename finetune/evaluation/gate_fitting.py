"""Fits the gate to a repository's own history, and keeps the fitted gate if it is better there.

The shipped gate was fitted on public histories. A team's code may repeat itself more, or less. So slope, bias and
thresholds are fitted again on the older windows of commits, and judged on the newest window. A better gate is written
to the repository's data folder, where ``lsp_server.retrieval.engine`` reads it. The gate's tree ensemble stays as
shipped. ``own_gate`` decides when a replay may use the fitted gate.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.commits.stages import ProgressReporter, Stage
from finetune.evaluation.intervals import calibration, wilson
from finetune.evaluation.replay import documents_of, request_of
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import own_gate_file, repository_directory
from indexer.errors import UserError
from lsp_server.retrieval import gate
from lsp_server.retrieval.gate import Gate
from lsp_server.retrieval.ranker import Ranker, load_trees

MINIMUM: Final = 60
"""Suggestions that fitting and judging need, each."""


@dataclass(frozen=True, slots=True)
class GateExamples:
    """Suggestions that are known to be right or wrong.

    :param values: the gate's inputs, of shape (suggestions, ``len(gate.INPUTS)``).
    :param right: of shape (suggestions,).
    :param cases: number of cursors, with and without a suggestion.
    """

    values: NDArray[np.float64]
    right: NDArray[np.bool_]
    cases: int


@dataclass(frozen=True, slots=True)
class Refit:
    """The result of fitting: figures of both gates on the newest window.

    :param gain: log loss per suggestion that the fitted gate saves; ``noise``: its standard error.
    :param written: where the fitted gate was written; None if the gain is not larger than the noise.
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
        rows, right, cases = [], [], 0
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
                rows.append(gate.inputs(ranked))
                right.append(ranked.options[0].text.rstrip() == case.rest)
        values = np.array(rows).reshape(len(rows), len(gate.INPUTS))
        found.append((GateExamples(values, np.array(right, dtype=bool), cases), stage.about))
    return found


def refit(collected: list[tuple[GateExamples, dict[str, Any]]], settings: Settings, root: Path) -> Refit:
    """Fit a gate on all stages but the newest, judge it on that one, and write it if it is better there.

    :raises UserError: there are too few suggestions.
    """
    older, (newest, last) = [examples for examples, _ in collected[:-1]], collected[-1]
    values = np.concatenate([one.values for one in older]) if older else np.zeros((0, len(gate.INPUTS)))
    right = np.concatenate([one.right for one in older]) if older else np.zeros(0, bool)
    enough = len(right) >= MINIMUM <= len(newest.right) and 0 < right.sum() < len(right)
    if not enough:
        raise UserError(
            f"{len(right)} suggestions to fit a gate on and {len(newest.right)} to judge it by are too few"
            f" ({MINIMUM} each are needed)",
            "raise --cases and --commits",
        )
    shipped, fitted = Gate.load(), gate.fit(values, right)
    before, after = (_figures(one, newest, settings.precision) for one in (shipped, fitted))
    gains = _losses(shipped, newest) - _losses(fitted, newest)
    gain, noise = float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
    path = None
    if gain > noise:
        repository_directory(settings, root)
        path = own_gate_file(settings, root)
        about = {
            "fitted_until": collected[-2][1].get("newest"),
            "judged_until": last.get("newest"),
            "suggestions": len(right),
            "before": before,
            "after": after,
        }
        fsio.replace_file(path, (json.dumps({**json.loads(fitted.dumps()), "about": about}) + "\n").encode())
    return Refit(before, after, round(gain, 5), round(noise, 5), path, len(right), len(newest.right))


def _losses(one: Gate, examples: GateExamples) -> NDArray[np.float64]:
    """Return the log loss of each suggestion."""
    probability = one.probabilities(examples.values)
    losses: NDArray[np.float64] = -np.log(np.clip(np.where(examples.right, probability, 1 - probability), 1e-9, 1))
    return losses


def _figures(one: Gate, examples: GateExamples, precision: float) -> dict[str, Any]:
    """Measure a gate on examples."""
    probability = one.probabilities(examples.values)
    shown = probability >= one.threshold(precision)
    hits = int(examples.right[shown].sum())
    return {
        "log_loss": round(float(_losses(one, examples).mean()), 4),
        "calibration_error": round(calibration(probability, examples.right)[0], 4),
        "coverage": round(float(shown.sum()) / examples.cases, 4),
        "precision": round(hits / int(shown.sum()), 4) if shown.any() else None,
        "precision_interval": [round(x, 4) for x in wilson(hits, int(shown.sum()))] if shown.any() else None,
    }
