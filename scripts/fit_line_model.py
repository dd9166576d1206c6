"""Measures what a model adds to next edits, on the commit histories of public repositories.

    python scripts/fit_line_model.py collect --model FILE --work DIR --clones DIR [--role ROLE] [--only NAME ...]
    python scripts/fit_line_model.py figures --work DIR

The changes of commits are made again, in random commits as far as the time goes. Where the rules have a text for the
line that changes next, or for a line near it that stays, that is not probable enough to be offered, the model is asked
as the server asks it, and its answer goes into the folder of work, one file a repository. These files hold code; do
not commit them. The figures say at each least probability of the rules' text how many of the texts are right that the
model wrote too, how many of those that it did not write, and how many of its own. ``LEAST`` in
``lsp_server/edits/model_lines`` was chosen on the repositories of role ``fit-edits`` in benchmarks/repositories.json.
"""

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune.commits.edit_steps import steps_of
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.edit_replay import CommitReplay, kind_of
from indexer.config import Settings
from lsp_server.backends.llamacpp_backend import LlamaCppBackend
from lsp_server.edits.model_lines import agrees, case_at
from lsp_server.edits.probability import shipped
from lsp_server.fitting.fitter import Fitter
from lsp_server.model.line_changes import changed_line
from lsp_server.model.line_questions import LineQuestion
from lsp_server.server.edit_model import fits
from lsp_server.server.edit_search import next_edit
from lsp_server.types import Document

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
from clones import find  # noqa: E402 - the benchmarks are no package

ROLE = "fit-edits"
COMMITS = 200
ASKED = 16
"""Questions of one commit, at most: long series would outweigh all others."""

SEED = 20261127
LEAST = 0.2
"""The model is asked from this probability of the rules' text on."""

LEVELS = (0.2, 0.3, 0.4, 0.5)


def collect(root: Path, model: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield what the rules and the model say of each line: whether a rule has an offer, or what the model wrote."""
    backend, fitter, until = LlamaCppBackend(model, threads=1), Fitter(), time.monotonic() + seconds
    for window in windows(root, COMMITS, 1):
        commits = list(steps_of(edits(root, window, Settings(), SkipReport()), SkipReport()))
        random.Random(SEED).shuffle(commits)
        for commit in commits:
            now, asked = CommitReplay(commit, None), 0
            for before in now.moments():
                if time.monotonic() > until:
                    return
                if kind_of(now, before) != "here" or asked >= ASKED:
                    continue
                lines = [("here", now.line(now.step, now.step.start))]
                if (passed := now.passed()) is not None:
                    lines.append(("passed", passed))
                for kind, line in lines:
                    told = _told(now, line, backend, fitter)
                    asked += kind == "here" and "made" in told
                    yield {"commit": commit.commit, "kind": kind, **told}


def _told(now: CommitReplay, line: int, backend: LlamaCppBackend, fitter: Fitter) -> dict[str, Any]:
    wanted, search, view = now.wanted(True).get(line), now.search(shipped()), now.view()
    offer = search.here(view, line)
    if offer is not None:
        return {"rule": offer.probability, "right": offer.new == wanted}
    case = case_at(search, view, line, LEAST)
    if case is None:
        return {}
    question = LineQuestion(now.path, case.pairs, case.old.strip(), (case.text.strip(),))
    answer = changed_line(backend, question, lambda: False, math.inf)
    document = Document(now.path, now.path, now.commit.languages[now.step.file], 0, "")
    facts = {"silent": next_edit(now.asked(line), lambda: False)[1] is None, "fits": fits(fitter, document, case)}
    facts |= {"old": case.old, "pairs": case.pairs, "text": case.text, "probability": case.probability}
    facts |= {"made": answer.text, "agrees": agrees(case, answer.text), "right": case.text == wanted}
    return {**facts, "own_right": wanted is not None and answer.text == wanted.strip(), "trace": answer.trace}


def show(name: str, records: list[dict[str, Any]]) -> None:
    """Print what rules offer in a repository, and at each level what the model adds."""
    here, passed = ([one for one in records if one["kind"] == kind] for kind in ("here", "passed"))
    rules = [one["right"] for one in here if "rule" in one]
    print(f"{name}: {len(here)} lines, by rules {len(rules)}, right {sum(rules)}; {len(passed)} lines that stay")
    for level in LEVELS:
        asked = [one for one in here if one.get("probability", 0) >= level]
        both = [one["right"] for one in asked if one["agrees"] and one["fits"]]
        silent = [one["right"] for one in asked if one["agrees"] and one["fits"] and one["silent"]]
        other = [one for one in asked if not one["agrees"]]
        stay = sum(one.get("probability", 0) >= level and one["agrees"] and one["fits"] for one in passed)
        counts = {"asked": len(asked), "both say it": len(both), "right": sum(both)}
        counts |= {
            "no offer elsewhere": len(silent),
            "right of these": sum(silent),
            "the model says another": len(other),
        }
        counts |= {"rules right of these": sum(one["right"] for one in other)}
        counts |= {"model right of these": sum(one["own_right"] for one in other), "offered on lines that stay": stay}
        print(f"  from {level}: " + ", ".join(f"{key} {count}" for key, count in counts.items()))


def main() -> None:
    """Run one step; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "figures"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clones", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--role", default=ROLE)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=300.0, help="for each repository")
    given = parser.parse_args()
    if given.step == "figures":
        whole: list[dict[str, Any]] = []
        for path in sorted(given.work.glob("*.jsonl")):
            records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            show(path.stem, records)
            whole += records
        show("all", whole)
        return
    for one in json.loads((BENCHMARKS / "repositories.json").read_text("utf-8")):
        clone = find(given.clones, one["name"]) if one["role"] == given.role else None
        if clone is not None and (not given.only or one["name"] in given.only):
            with (given.work / f"{one['name'].replace('/', '+')}.jsonl").open("w", encoding="utf-8") as file:
                for record in collect(clone, given.model, given.seconds):
                    file.write(json.dumps(record) + "\n")
                    file.flush()
            print(one["name"], flush=True)


if __name__ == "__main__":
    main()
