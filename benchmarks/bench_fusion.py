"""Measures what a model adds to retrieval at cursors of past commits: exact rest of the line, and text shown by itself.

    python benchmarks/bench_fusion.py --clones DIR --base MODEL [--cases 60] [--out FILE]

It replays the repositories of role ``fusion`` in ``repositories.json``, which nothing is fitted on. The model is waited
for; its prompts have ``--prompt-tokens``. Retrieval alone and both together are judged at the same cursors: whether
the first line of a request is the author's (``exact``), and what the gate shows automatically at several settings. The
interval of the difference is a bootstrap over cursors. Each repository's figures are written as soon as they are
there; a run that was ended goes on with the others. The file of a finished run has sums alone.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from clones import copy_at, find
from made_on import made_on

from finetune.commits.cases import Case
from finetune.commits.stages import ProgressReporter, ReplayPlan, commit_stages
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation.fusion_examples import answered, joined
from finetune.evaluation.metrics import is_beginning
from finetune.evaluation.model_systems import SharedModels
from finetune.evaluation.replay import documents_of, request_of
from indexer.config import Settings
from lsp_server.model.fusion import Fusion
from lsp_server.model.joint_words import own_line
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import ModelAnswer
from lsp_server.model.runner import ModelRunner
from lsp_server.retrieval.engine import Proposals, RetrievalEngine
from lsp_server.retrieval.gate import Choice, decide, line_probability

RESULTS: Final = Path(__file__).parent / "results" / "fusion.json"
REPOSITORIES: Final = Path(__file__).parent / "repositories.json"
SETTINGS: Final = (0.5, 0.58, 0.66, 0.74)
COMMITS: Final = 60
SEED: Final = 20261126

Row = dict[str, float]


def judge(case: Case, proposals: Proposals, answer: ModelAnswer, fusion: Fusion) -> Row:
    """The figures of one cursor."""
    rest, own = case.rest.rstrip(), own_line(answer)
    copies = [text.rstrip() for text in proposals.texts]
    joint = joined(proposals, answer)
    words = fusion.probabilities(joint)
    lines = list(dict.fromkeys([*copies, *([own] if own.strip() else [])]))
    best = max(lines, key=lambda line: line_probability(joint.tree, words, line) or 0.0, default=None)
    row: Row = {
        "retrieval": float(bool(copies) and copies[0] == rest),
        "model": float(own == rest),
        "both": float(best == rest),
        "either": float(rest in lines),
    }
    for precision in SETTINGS:
        alone = decide(proposals.judged.tree, proposals.judged.words, precision).shown if proposals.judged else None
        both = alone or decide(joint.tree, words, precision).shown
        row |= _shown(f"retrieval at {precision}", alone, rest) | _shown(f"both at {precision}", both, rest)
    return row


def ask(retrieval: RetrievalEngine, runner: ModelRunner, case: Case) -> tuple[Proposals, ModelAnswer]:
    """Return what retrieval proposes at a cursor, and what the model writes there."""
    request = request_of(case, automatic=False)
    for document in documents_of(case):
        retrieval.update(document)
    proposals = retrieval.propose(request, lambda: False)
    answer = answered(runner, request, proposals)
    retrieval.close(request.document.uri)
    runner.context_builder.close(request.document.uri)
    return proposals, answer


def _shown(name: str, choice: Choice | None, rest: str) -> Row:
    right = choice is not None and is_beginning(choice.text.rstrip(), rest)
    saved = len(choice.text) if choice is not None and right else 0
    return {f"{name}: shown": float(choice is not None), f"{name}: right": float(right), f"{name}: saved": saved}


def replay(clone: Path, base: str, cases: int, tokens: int) -> list[Row]:
    """The figures of each cursor of one repository."""
    rows: list[Row] = []
    fusion, reporter = Fusion.load(), ProgressReporter()
    amount = ReplayPlan(cases // 3, cases - cases // 3, SEED)
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings(), data_dir=Path(folder) / "data", base_model=base)
        runner = SharedModels(settings, clone, None, tokens, single_line=True).runner(None, print)
        runner.loaded()
        retrieval = RetrievalEngine(Settings(), None)
        plan = windows(clone, COMMITS, 1)
        for stage in commit_stages(clone, plan, settings, amount, Path(folder), SkipReport(), reporter):
            retrieval.set_index(stage.index)
            runner.context_builder.set_source(IndexSource(stage.index))
            for case in stage.cases:
                if not case.moved:
                    proposals, answer = ask(retrieval, runner, case)
                    rows.append(judge(case, proposals, answer, fusion))
        runner.close()
    return rows


def summary(rows: list[Row]) -> dict[str, Any]:
    """Sums over cursors, and the gain in exact lines with its interval of 95 %, in points."""
    gains = np.array([row["both"] - row["retrieval"] for row in rows])
    drawn = np.random.default_rng(SEED).choice(gains, (4000, len(gains))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    sums = {name: int(sum(row[name] for row in rows)) for name in rows[0]}
    gain = {"points": round(100 * gains.mean(), 2), "interval": [round(100 * low, 2), round(100 * high, 2)]}
    return {"cursors": len(rows), **sums, "both_over_retrieval": gain}


def main() -> None:
    """Replay what is missing, and print the figures of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--prompt-tokens", type=int, default=448)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    asked = {"base": Path(given.base).name, "cases": given.cases, "prompt_tokens": given.prompt_tokens, "seed": SEED}
    kept = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    rows: dict[str, list[Row]] = kept.get("rows", {}) if kept.get("asked") == asked else {}
    result: dict[str, Any] = kept
    for one in json.loads(REPOSITORIES.read_text("utf-8")):
        clone = find(given.clones, one["name"]) if one["role"] == "fusion" else None
        if clone is None or one["name"] in rows:
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows[one["name"]] = replay(
                copy_at(clone, one["commit"], Path(folder) / "copy"), given.base, given.cases, given.prompt_tokens
            )
        every = summary([row for found in rows.values() for row in found])
        by_name = {name: summary(found) for name, found in rows.items()}
        print(one["name"], json.dumps(by_name[one["name"]]), flush=True)
        result = {"asked": asked, "all": every, "repositories": by_name, "rows": rows, **made_on()}
        given.out.write_text(json.dumps(result) + "\n", "utf-8")
    if rows:
        result.pop("rows")
        given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        print(json.dumps(result["all"], indent=2))


if __name__ == "__main__":
    main()
