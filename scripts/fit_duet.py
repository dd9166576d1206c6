"""Fit the weights by which copier and model are believed, on what both said at cursors of other people's histories.

    python scripts/fit_duet.py REPO [REPO ...] --base FOLDER [--cases 150] [--out lsp_server/data/duet.json]

REPOs are those of role ``fit`` in ``benchmarks/repositories.json``; nothing is reported on them. Three logistic
regressions: a copy that the model would not write first, a copy that is also the model's own line, and a line of the
model's own. FOLDER may hold GGUF, which is quicker on a CPU.
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

from finetune.replay import Plan, Watch, commit_stages, request_of
from finetune.windows import Passed, windows
from indexer.config import Settings
from lsp_server.backends.loading import load_local
from lsp_server.duet import DuetEngine
from lsp_server.engine import Engine
from lsp_server.model import UNHURRIED, ModelSource
from lsp_server.model_engine import PROMPT_TOKENS
from lsp_server.packing import IndexSource, Packer

LEAST = 25
"""Observations of a kind below which its weights are not fitted but stay as they are."""

Rows = dict[str, list[tuple[list[float], bool]]]


def observe(repo: Path, base: str, cases: int, commits: int, rows: Rows) -> None:
    """Ask copier and model at the cursors of one history."""
    packer = Packer(None, repo.name)
    source = ModelSource(lambda: load_local(base, PROMPT_TOKENS, print), packer, patience=UNHURRIED)
    source.loaded()
    amount = Plan(cases // 3, cases - cases // 3, 2)
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings(), data_dir=Path(folder) / "data")
        plan = windows(repo, commits, 1)
        for stage in commit_stages(repo, plan, settings, amount, Path(folder), Passed(), Watch()):
            engine = Engine(Settings(), stage.index)
            packer.set_source(IndexSource(stage.index))
            for case in stage.cases:
                if not case.moved:
                    _observe(engine, source, case, rows)
    source.close()


def _observe(engine: Engine, source: ModelSource, case: Any, rows: Rows) -> None:
    request = request_of(case, automatic=False)
    engine.update(request.document)
    copies = [c for c in engine.complete(request, lambda: False).suggestions if c.end == request.offset]
    engine.close(request.document.uri)
    lines = tuple(c.text.split("\n")[0].rstrip("\r") for c in copies)
    asked = replace(DuetEngine.question(Settings(), request, lines), count=1)
    answer = source.ask(asked).wait(time.monotonic() + 300)
    source.packer.close(request.document.uri)
    own = answer.texts[0].split("\n")[0] if answer.texts else ""
    right = case.rest.rstrip()
    for line, copy, score in zip(lines, copies, answer.copy_scores, strict=False):
        odds = math.log(max(copy.probability, 1e-4) / max(1 - copy.probability, 1e-4))
        rows["both" if line == own else "copy"].append(([1.0, odds, max(-25.0, score)], line.rstrip() == right))
    if own.strip() and own not in lines and answer.line_logprob is not None:
        rows["own"].append(([1.0, math.log1p(len(own)), max(-25.0, answer.line_logprob)], own.rstrip() == right))


def regression(found: Sequence[tuple[list[float], bool]]) -> list[float]:
    """Logistic regression by Newton's method with a little pull to zero."""
    x, y = np.array([f for f, _ in found]), np.array([r for _, r in found], np.float64)
    beta = np.zeros(3)
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 0.5 * np.eye(3)
        beta += np.linalg.solve(curvature, x.T @ (y - p) - 0.5 * beta)
    return [round(float(b), 4) for b in beta]


def main() -> None:
    """Observes, fits, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repos", type=Path, nargs="+")
    parser.add_argument("--base", default="tests/fixtures/small_llama")
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("lsp_server/data/duet.json"))
    options = parser.parse_args()
    rows: Rows = {"copy": [], "both": [], "own": []}
    for repo in options.repos:
        observe(repo.resolve(), options.base, options.cases, options.commits, rows)
    weights = json.loads(options.out.read_text())
    for name, found in rows.items():
        print(name, len(found), "observations,", sum(right for _, right in found), "right")
        if len(found) >= LEAST:
            weights[name] = regression(found)
    print(json.dumps(weights))
    options.out.write_text(json.dumps(weights) + "\n")


if __name__ == "__main__":
    main()
