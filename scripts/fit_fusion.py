"""Fits the fusion of retrieval and a model to what both propose while hunks of public histories are typed.

    python scripts/fit_fusion.py REPO [REPO ...] --base MODEL [--hunks 14] [--out lsp_server/data/fusion.json]

REPOs are those of role ``fit-fusion`` in ``benchmarks/repositories.json``; nothing is reported on them. MODEL is a
folder or a GGUF file; prompts have ``--prompt-tokens``, since a model on a laptop reads no more in time. Both are asked
at one key in ``EVERY``, with the index of the tree before the commits, and the model is waited for. The mean log loss
of each repository with regressions fitted on the others is printed.
"""

import argparse
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from fit_steps import Sample, opened, parts_of, typed

from finetune.commits.typed_hunks import TypedHunk, draw
from finetune.commits.windows import SkipReport
from finetune.evaluation.fusion_fitting import FusionExamples, examples_of, fit, joined, together
from finetune.evaluation.model_systems import SharedModels
from indexer.config import Settings
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import model_request
from lsp_server.model.runner import ModelRunner
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.types import Request

SEED: Final = 20261128
EVERY: Final = 2
"""One key in ``EVERY`` is an example: neighbouring keys have nearly the same words."""

PATIENCE_S: Final = 300.0


def examples(hunk: TypedHunk, uri: str, engine: RetrievalEngine, runner: ModelRunner) -> list[FusionExamples]:
    """Return the examples at keys of a hunk."""
    rng, want, found = random.Random(f"{SEED} {uri}"), "\n".join(hunk.lines), []
    engine.update(opened(hunk, uri))
    for document, at in typed(hunk, uri):
        engine.update(document)
        request = Request(document, len(hunk.before) + at, True)
        proposals = engine.propose(request, lambda: False)  # at all keys: what was said before is among its evidence
        if rng.random() * EVERY < 1:
            asked = replace(model_request(Settings(), request, proposals.texts), count=1, single_line=True)
            answer = runner.ask(asked).wait(time.monotonic() + PATIENCE_S)
            found.append(examples_of(joined(proposals, answer), want[at:].split("\n", 1)[0]))
    engine.close(uri)
    runner.context_builder.close(uri)
    return found


def observe(repo: Path, base: str, sample: Sample, tokens: int) -> FusionExamples:
    """Return the examples of one history."""
    found: list[FusionExamples] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings(), data_dir=Path(folder) / "data", base_model=base)
        runner = SharedModels(settings, repo, None, tokens, single_line=True).runner(None, print)
        runner.loaded()
        for part in parts_of(repo, Path(folder), sample, SkipReport()):
            engine = RetrievalEngine(settings, part.index)
            runner.context_builder.set_source(IndexSource(part.index))
            for number, hunk in enumerate(draw(part.edits, part.amount, SEED, SkipReport())):
                found += examples(hunk, f"file:///{number}/{hunk.path}", engine, runner)
        runner.close()
    return together(found)


def main() -> None:
    """Observe, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repos", type=Path, nargs="+")
    parser.add_argument("--base", required=True)
    parser.add_argument("--hunks", type=int, default=14)
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--prompt-tokens", type=int, default=448)
    parser.add_argument("--out", type=Path, default=Path("lsp_server/data/fusion.json"))
    given = parser.parse_args()
    sample = Sample(given.commits, 1, given.hunks)
    found = {repo: observe(repo.resolve(), given.base, sample, given.prompt_tokens) for repo in given.repos}
    for repo, seen in found.items():
        others = fit(together([one for other, one in found.items() if other != repo]))
        words = {kind.name.lower(): len(right) for kind, right in seen.right.items()}
        print(repo, seen.cursors, "keys", words, "log loss", round(float(np.mean(seen.losses(others))), 4))
    given.out.write_text(fit(together(list(found.values()))).dumps(), "utf-8")


if __name__ == "__main__":
    main()
