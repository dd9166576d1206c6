"""Fits the fusion of retrieval and a model to what both propose while hunks of public histories are typed.

    python scripts/fit_fusion.py REPO [REPO ...] --base MODEL [--hunks 14] [--out lsp_server/data/fusion.json]

REPOs are those of role ``fit-fusion`` in ``benchmarks/repositories.json``; nothing is reported on them. MODEL is a
folder or a GGUF file; prompts have ``--prompt-tokens``, since a model on a laptop reads no more in time. See
``finetune/evaluation/fusion_examples.py`` for the keys. The mean log loss of each repository with regressions fitted on
the others is printed.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from finetune.commits.stages import SILENT, ReplayPlan, commit_stages
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.fusion_examples import FusionExamples, KeyPlan, TypedWindow, collect, together
from finetune.evaluation.fusion_fitting import fit
from finetune.evaluation.model_systems import SharedModels
from indexer.config import Settings

SEED: Final = 20261128


def observe(repo: Path, given: argparse.Namespace) -> FusionExamples:
    """Return the examples of one history."""
    found: list[TypedWindow] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings(), data_dir=Path(folder) / "data", base_model=given.base, workers=1)
        runner = SharedModels(settings, repo, None, given.prompt_tokens, single_line=True).runner(None, print)
        runner.loaded()
        plan = windows(repo, given.commits, 1)
        amount = ReplayPlan(0, 0, SEED, hunks=given.hunks)
        stages = commit_stages(repo, plan, settings, amount, Path(folder), SkipReport())
        collect(stages, runner, KeyPlan(SEED), SILENT, found)
        runner.close()
    return together([hunk for window in found for hunk in window.hunks])


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
    found = {repo: observe(repo.resolve(), given) for repo in given.repos}
    for repo, seen in found.items():
        others = fit(together([one for other, one in found.items() if other != repo]))
        words = {kind.name.lower(): len(right) for kind, right in seen.right.items()}
        print(repo, seen.keys, "keys", words, "log loss", round(float(np.mean(seen.losses(others))), 4))
    given.out.write_text(fit(together(list(found.values()))).dumps(), "utf-8")


if __name__ == "__main__":
    main()
