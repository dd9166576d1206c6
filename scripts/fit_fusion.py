"""Fits the fusion of retrieval and a model to what both propose at cursors of public histories.

    python scripts/fit_fusion.py REPO [REPO ...] --base MODEL [--cases 90] [--out lsp_server/data/fusion.json]

REPOs are those of role ``fit-fusion`` in ``benchmarks/repositories.json``; nothing is reported on them. MODEL is a
folder or a GGUF file; prompts have ``--prompt-tokens``, since a model on a laptop reads no more in time. The mean log
loss of each repository with regressions fitted on the others is printed.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from finetune.commits.stages import ProgressReporter, ReplayPlan, commit_stages
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.fusion_fitting import FusionExamples, collect, fit, together
from finetune.evaluation.model_systems import SharedModels
from indexer.config import Settings


def observe(repo: Path, base: str, cases: int, commits: int, tokens: int) -> FusionExamples:
    """Return the examples of one history."""
    amount = ReplayPlan(cases // 3, cases - cases // 3, 2)
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings(), data_dir=Path(folder) / "data", base_model=base)
        runner = SharedModels(settings, repo, None, tokens, single_line=True).runner(None, print)
        runner.loaded()
        plan, reporter = windows(repo, commits, 1), ProgressReporter()
        stages = commit_stages(repo, plan, settings, amount, Path(folder), SkipReport(), reporter)
        found = together([examples for examples, _ in collect(stages, runner, reporter)])
        runner.close()
    return found


def main() -> None:
    """Observe, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repos", type=Path, nargs="+")
    parser.add_argument("--base", required=True)
    parser.add_argument("--cases", type=int, default=90)
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--prompt-tokens", type=int, default=448)
    parser.add_argument("--out", type=Path, default=Path("lsp_server/data/fusion.json"))
    given = parser.parse_args()
    found = {
        repo: observe(repo.resolve(), given.base, given.cases, given.commits, given.prompt_tokens)
        for repo in given.repos
    }
    for repo, examples in found.items():
        others = fit(together([one for other, one in found.items() if other != repo]))
        words = {kind.name.lower(): len(right) for kind, right in examples.right.items()}
        print(repo, examples.cursors, "cursors", words, "log loss", round(float(np.mean(examples.losses(others))), 4))
    given.out.write_text(fit(together(list(found.values()))).dumps(), "utf-8")


if __name__ == "__main__":
    main()
