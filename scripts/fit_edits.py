"""Fits the probability of next edits on the commit histories of public repositories, and judges it on others.

    python scripts/fit_edits.py collect --work DIR REPOSITORY...         features of proposals, one .npz a repository
    python scripts/fit_edits.py fit --work DIR                           lsp_server/data/edits.json
    python scripts/fit_edits.py judge --work DIR                         figures of repositories that were collected

The changed lines of a commit are replayed in the order of its files: lines replaced one for one in hunks of up to four
lines are judged, all changed lines teach. *Here* the cursor stands on the next changed line. *Elsewhere* the best other
line of the same file, as it was before the commit, is offered after each changed line; it is right if the commit makes
exactly that text of it, and what is offered after a file's last change counts as wrong. LightGBM is needed for fitting
only.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from indexer.languages.grammars import language_of
from indexer.repository.git import run_git
from indexer.repository.history import Change, changes, commits
from lsp_server.edits import places
from lsp_server.edits.changed_lines import changed_lines
from lsp_server.edits.history import USED
from lsp_server.edits.offers import ELSEWHERE_HISTORY
from lsp_server.edits.probability import FILE, Judge, shipped
from lsp_server.edits.proposals import ELSEWHERE, FEATURES, HERE, Place, Taught, View, proposals, rows, taught

COMMITS = 200
HUNKS = 400
HUNK_LINES = 4
LINES_OF_A_FILE = 60
LONGEST_FILE = 5_000
LIKE = 0.4
PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_depth": 6,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbose": -1,
    "num_threads": 1,
    "seed": 1,
    "deterministic": True,
}
ROUNDS = 200
THRESHOLDS = (0.7, 0.7, 0.8)
Step = tuple[int, str, str, bool]
"""A changed line: its number before the commit, its text before and after, and whether it is judged."""


@dataclass
class Cases:
    """Rows of features: the group of each row is one line or one moment; ``chances`` counts these."""

    groups: list[int] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    chances: int = 0

    def add(self, group: int, table: list[list[float]], right: list[bool]) -> None:
        """Add the proposals of one line."""
        self.groups += [group] * len(table)
        self.rows += table
        self.right += right


def steps(old: list[str], new: list[str], change: Change) -> list[Step]:
    """Return the changed lines of one file, in its order."""
    found: list[Step] = []
    judged = 0
    for hunk in change.hunks:
        before = old[hunk.old_start : hunk.old_start + hunk.old_count]
        after = new[hunk.new_start : hunk.new_start + hunk.new_count]
        even = len(before) == len(after) and 0 < len(before) <= HUNK_LINES
        for number, _, line, text in changed_lines(before, after):
            alike = SequenceMatcher(None, line, text).ratio() > LIKE
            counts = even and alike and judged < LINES_OF_A_FILE
            judged += counts
            if counts or not even:
                found.append((hunk.old_start + number, line, text, counts))
    return found


def files(root: Path, number: int) -> Iterator[tuple[str, list[tuple[str, str, list[Step]]]]]:
    """Yield each commit with the path, the text before it and the changed lines of its files of code."""
    for commit in commits(root, limit=number):
        changed = [c for c in changes(root, commit) if c.status in "MR" and language_of(c.path) and c.hunks]
        if commit.parent is None or sum(len(c.hunks) for c in changed) > HUNKS:
            continue
        found = []
        for change in changed:
            old, new = (
                run_git(root, "cat-file", "blob", blob).decode("utf-8", "replace")
                for blob in (change.old_blob, change.new_blob)
            )
            found.append((change.path, old, steps(old.split("\n"), new.split("\n"), change)))
        yield commit.id, found


def collect(root: Path, number: int) -> tuple[Cases, Cases]:
    """Return the cases at the cursor and those elsewhere of the last commits of a repository."""
    here, elsewhere, group = Cases(), Cases(), 0
    for _, changed in files(root, number):
        history: list[Taught] = []
        judged = False
        for path, text, lines in changed:
            view, done = View(path, text), set[int]()
            want = {line: new for line, _, new, _ in lines}
            left = sum(counts for *_, counts in lines)
            for line, old, new, counts in lines:
                group += 1
                view.edited = frozenset(done)
                if counts and judged:
                    here.chances += 1
                    _propose(here, group, history[-USED:], view, Place(HERE, line, _last(history, path, line), 1), want)
                history.append(taught(path, line, group, old, new))
                done.add(line)
                judged, left = judged or counts, left - counts
                if not counts:
                    continue
                elsewhere.chances += left > 0
                view.edited = frozenset(done)
                if len(view.lines) <= LONGEST_FILE:
                    _everywhere(elsewhere, group, history[-ELSEWHERE_HISTORY:], view, line, want)
    return here, elsewhere


def _last(history: list[Taught], path: str, line: int) -> int:
    return history[-1].line if history and history[-1].uri == path else line


def _everywhere(cases: Cases, group: int, history: list[Taught], view: View, line: int, want: dict[int, str]) -> None:
    found = places.in_document(view, history, line)
    for place in found:
        _propose(cases, group, history, view, Place(ELSEWHERE, place, line, len(found)), want)


def _propose(cases: Cases, group: int, history: list[Taught], view: View, place: Place, want: dict[int, str]) -> None:
    if place.line >= len(view.lines):
        return
    line = view.lines[place.line]
    found = proposals(line, history) if history else {}
    if found:
        right = [want.get(place.line) == text for text in found]
        cases.add(group, rows(line, found, history, view, place), right)


def fit(sets: list[dict[str, Any]], kind: str) -> Any:
    """Fit trees to the cases of several repositories; each counts by the root of its rows."""
    import lightgbm
    from lightgbm_trees import trees_of

    table = np.concatenate([one[f"{kind}_rows"] for one in sets])
    right = np.concatenate([one[f"{kind}_right"] for one in sets])
    weights = np.concatenate(
        [np.full(len(one[f"{kind}_right"]), 1 / np.sqrt(1 + len(one[f"{kind}_right"]))) for one in sets]
    )
    data = lightgbm.Dataset(table, right.astype(int), weight=weights / weights.mean())
    return trees_of(lightgbm.train(PARAMETERS, data, ROUNDS), FEATURES)


def judge(one: dict[str, Any], kind: str, judged: Judge, threshold: float) -> dict[str, float]:
    """Return the share of chances with an offer, the share of right ones among these, and both together."""
    probability = judged.probabilities(one[f"{kind}_rows"].tolist(), here=kind == "here")
    best: dict[int, tuple[float, bool]] = {}
    for group, p, right in zip(one[f"{kind}_groups"].tolist(), probability, one[f"{kind}_right"].tolist(), strict=True):
        if group not in best or p > best[group][0]:
            best[group] = (p, right)
    offered = [right for p, right in best.values() if p >= threshold]
    chances = max(1, int(one[f"{kind}_chances"]))
    return {
        "chances": chances,
        "offered": round(len(offered) / chances, 3),
        "right": round(sum(offered) / max(1, len(offered)), 3),
        "reached": round(sum(offered) / chances, 3),
    }


def main() -> None:
    """Run one of the steps."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("step", choices=["collect", "fit", "judge"])
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--commits", type=int, default=COMMITS)
    options.add_argument("repositories", nargs="*", type=Path)
    given = options.parse_intermixed_args()
    for root in given.repositories:
        name = "+".join(root.resolve().parts[-2:])
        found = {}
        for kind, cases in zip(("here", "elsewhere"), collect(root, given.commits), strict=True):
            found |= {f"{kind}_groups": np.array(cases.groups, np.int64), f"{kind}_chances": np.array(cases.chances)}
            found[f"{kind}_rows"] = np.array(cases.rows, np.float32).reshape(-1, len(FEATURES))
            found[f"{kind}_right"] = np.array(cases.right, bool)
        np.savez_compressed(given.work / f"{name}.npz", **found)
    sets = {path.stem: dict(np.load(path)) for path in sorted(given.work.glob("*.npz"))}
    if given.step == "fit":
        trees = {kind: json.loads(fit(list(sets.values()), kind).dumps()) for kind in ("here", "elsewhere")}
        FILE.write_text(json.dumps({**trees, "thresholds": THRESHOLDS}, separators=(",", ":")) + "\n", "utf-8")
    if given.step == "judge":
        for name, one in sets.items():
            for number, kind in enumerate(("here", "elsewhere")):
                print(name, kind, json.dumps(judge(one, kind, shipped(), shipped().thresholds[number])))


if __name__ == "__main__":
    main()
