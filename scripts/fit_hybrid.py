"""Fits the weights of the hybrid engine to what retrieval and a model propose at cursors of public histories.

    python scripts/fit_hybrid.py REPO [REPO ...] --base FOLDER [--cases 150] [--out lsp_server/data/hybrid.json]

REPOs are those of role ``fit`` in ``benchmarks/repositories.json``; nothing is reported on them. There are two logistic
regressions: one for copies, with a term for those that are also the model's line, and one for other lines of the model.
The prior of the first is retrieval's own probability, so a model without information leaves the order as it is. FOLDER
may hold GGUF, which is faster on a CPU.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from finetune.commits.stages import ProgressReporter, ReplayPlan, commit_stages
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.replay import request_of
from indexer.config import Settings
from lsp_server.backends.loading import load_local
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.model.hybrid_engine import likelihood, score_of
from lsp_server.model.prompt_context import IndexSource, PromptContextBuilder
from lsp_server.model.requests import model_request
from lsp_server.model.runner import UNHURRIED, ModelRunner
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.trees import sigmoid

Row = tuple[list[float], bool]
Rows = dict[str, list[Row]]


def observe(repo: Path, base: str, cases: int, commits: int, rows: Rows) -> None:
    """Ask retrieval and model at the cursors of one history."""
    builder, asked = PromptContextBuilder(None, repo.name), replace(Settings(), base_model=base)
    source = ModelRunner(lambda: load_local(asked, PROMPT_TOKENS, print), builder, time_limits=UNHURRIED)
    source.loaded()
    amount = ReplayPlan(cases // 3, cases - cases // 3, 2)
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings(), data_dir=Path(folder) / "data")
        plan = windows(repo, commits, 1)
        for stage in commit_stages(repo, plan, settings, amount, Path(folder), SkipReport(), ProgressReporter()):
            engine = RetrievalEngine(Settings(), stage.index)
            builder.set_source(IndexSource(stage.index))
            for case in stage.cases:
                if not case.moved:
                    _observe(engine, source, case, rows)
    source.close()


def _observe(engine: RetrievalEngine, source: ModelRunner, case: Any, rows: Rows) -> None:
    request = request_of(case, automatic=False)
    engine.update(request.document)
    copies = [c for c in engine.complete(request, lambda: False).suggestions if c.end == request.offset]
    engine.close(request.document.uri)
    lines = tuple(c.text.split("\n")[0].rstrip("\r") for c in copies)
    asked = replace(model_request(Settings(), request, lines), count=1)
    answer = source.ask(asked).wait(time.monotonic() + 300)
    source.context_builder.close(request.document.uri)
    own = answer.texts[0].split("\n")[0] if answer.texts else ""
    right = case.rest.rstrip()
    for line, copy in zip(lines, copies, strict=True):
        score = score_of(answer.judged.get(line))
        if score is None:
            continue
        odds = math.log(max(copy.probability, 1e-4) / max(1 - copy.probability, 1e-4))
        rows["copy"].append(([1.0, odds, likelihood(line, score), float(line == own)], line.rstrip() == right))
    if own.strip() and own not in lines and answer.line_logprob is not None:
        rows["own"].append(([1.0, math.log1p(len(own)), max(-25.0, answer.line_logprob)], own.rstrip() == right))


def regression(found: Sequence[Row], towards: Sequence[float], pull: float) -> list[float]:
    """Return a logistic regression by Newton's method.

    :param towards: coefficients of the prior. :param pull: its weight.
    """
    x, y = np.array([f for f, _ in found]), np.array([r for _, r in found], np.float64)
    prior = np.array(towards)
    beta = prior.copy()
    for _ in range(60):
        p = sigmoid(x @ beta)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + pull * np.eye(len(prior))
        beta += np.linalg.solve(curvature, x.T @ (y - p) - pull * (beta - prior))
    return [round(float(b), 4) for b in beta]


def main() -> None:
    """Observe, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repos", type=Path, nargs="+")
    parser.add_argument("--base", default="tests/fixtures/small_llama")
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("lsp_server/data/hybrid.json"))
    options = parser.parse_args()
    rows: Rows = {"copy": [], "own": []}
    for repo in options.repos:
        observe(repo.resolve(), options.base, options.cases, options.commits, rows)
    for name, found in rows.items():
        print(name, len(found), "observations,", sum(right for _, right in found), "right")
    constant, by_retrieval, by_model, agreed = regression(rows["copy"], (0.0, 1.0, 0.0, 0.0), 2.0)
    both = [round(constant + agreed, 4), by_retrieval, by_model]
    own = regression(rows["own"], (0.0, 0.0, 0.0), 0.5)
    weights = {"copy": [constant, by_retrieval, by_model], "both": both, "own": own}
    print(json.dumps(weights))
    options.out.write_text(json.dumps(weights) + "\n")


if __name__ == "__main__":
    main()
