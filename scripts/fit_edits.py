"""Fits the probability of next edits on the commit histories of public repositories, and judges it on others.

    python scripts/fit_edits.py collect --work DIR --clones DIR [--role ROLE] [--only NAME ...]    one .npz a repository
    python scripts/fit_edits.py cross --work DIR       each repository judged by trees that were fitted on the others
    python scripts/fit_edits.py fit --work DIR         puts the trees into lsp_server/data/edits.json

Fitted is on the repositories of role ``fit-edits`` in benchmarks/repositories.json. The changes of each commit are
replayed in the order of its files, as ``ondol eval --edits`` does. *Here* the cursor stands on the next changed line.
*Elsewhere* the best other line of the document is offered behind each change; what is offered after a file's last
change counts as wrong. These are the first probabilities; ``scripts/fit_second_look.py`` fits what is made of them, and
the thresholds. LightGBM is needed for fitting only.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from finetune.commits.edit_steps import steps_of
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.edit_replay import CommitReplay, kind_of
from indexer.config import Settings
from lsp_server.edits.features import ELSEWHERE, FEATURES, Place, agreed, proven
from lsp_server.edits.offers import Search
from lsp_server.edits.place_search import PROVEN
from lsp_server.edits.probability import FILE, shipped
from lsp_server.edits.views import View

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
from clones import find  # noqa: E402 - the benchmarks are no package

ROLE = "fit-edits"
COMMITS = 40
LONGEST_FILE = 5_000
COMMIT = 10_000
"""Groups of one commit have numbers between two multiples of this."""

RIGHT = {"here": 0.895, "elsewhere": 0.855}
"""Wanted share of right ones among the offers, for the figures."""

COMMON = {
    "objective": "binary",
    "min_data_in_leaf": 40,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbose": -1,
    "num_threads": 1,
    "seed": 1,
    "deterministic": True,
}
"""Parameters of the first and of the second trees (``fit_second_look.py``)."""

PARAMETERS = {**COMMON, "learning_rate": 0.05, "num_leaves": 15, "max_depth": 6, "feature_fraction": 0.5}
ROUNDS = {"here": 250, "elsewhere": 300}
FOLDS = 5
LEAST_THRESHOLD = 0.3
FEWEST = 30
"""Fewer offers say nothing about a threshold."""

RISING = ("edits", "steps", "held", "held_share")
FALLING = ("failed", "failed_narrow", "passed_narrow", "passed_wide", "holes")
"""Features with which the probability at the cursor may only rise or fall. Elsewhere free trees are better."""

Best = tuple[float, bool, bool]
"""The most probable proposal of a place: its probability, whether it is right, whether edits agree on it."""

Levels = tuple[float, float]
"""Thresholds for proposals on which no two edits agree, and for those on which two do."""


@dataclass
class Cases:
    """Rows of features: the group of each row is one line or one moment; ``chances`` counts these.

    Groups below zero are lines that the cursor only passes: they are learnt from, and not judged.
    """

    groups: list[int] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    chances: int = 0

    def add(self, group: int, table: list[list[float]], right: list[bool]) -> None:
        """Add the proposals of one line."""
        self.groups += [group] * len(table)
        self.rows += table
        self.right += right


def collect(root: Path, number: int) -> dict[str, Cases]:
    """Return the cases at the cursor and those elsewhere of the last commits of a repository."""
    made, judge = {"here": Cases(), "elsewhere": Cases()}, shipped_or_none()
    for window in windows(root, number, 1):
        commits = steps_of(edits(root, window, Settings(), SkipReport()), SkipReport())
        for place, commit in enumerate(commits):
            now = CommitReplay(commit, None)
            for group, before in enumerate(now.moments(), 1 + COMMIT * place):
                kind = kind_of(now, before)
                search, view = now.search(judge), now.view()
                if kind == "here":
                    made["here"].chances += 1
                    line, wanted = now.line(now.step, now.step.start), now.wanted(True)
                    _propose(made["here"], group, search, view, search.places.place_at(view, line), wanted)
                    if (other := now.passed()) is not None:
                        _propose(made["here"], -group, search, view, search.places.place_at(view, other), wanted)
                elif kind == "after" and len(view.lines) <= LONGEST_FILE:
                    made["elsewhere"].chances += now.left() > 0
                    _everywhere(made["elsewhere"], group, search, view, now.wanted(False))
    return made


def shipped_or_none() -> Any:
    """Return the shipped trees where they fit the features of today; collecting needs none."""
    try:
        return shipped()
    except ValueError:
        return None


def _everywhere(cases: Cases, group: int, search: Search, view: View, want: dict[int, str]) -> None:
    for one in search.places.everywhere(view, ELSEWHERE):
        cases.add(group, one.rows, [want.get(one.place.line) == text for text in one.texts])


def _propose(cases: Cases, group: int, search: Search, view: View, place: Place, want: dict[int, str]) -> None:
    if place.line < len(view.lines):
        found = search.places.candidates(view, place)
        cases.add(group, found.rows, [want.get(place.line) == text for text in found.texts])


def fit(sets: list[dict[str, Any]], kind: str) -> Any:
    """Fit trees to the cases of several repositories; each commit counts by the root of its rows."""
    import lightgbm

    table = np.concatenate([one[f"{kind}_rows"] for one in sets])
    right = np.concatenate([one[f"{kind}_right"] for one in sets])
    weights = []
    for one in sets:
        _, commit, counts = np.unique(np.abs(one[f"{kind}_groups"]) // COMMIT, return_inverse=True, return_counts=True)
        weights.append(1 / np.sqrt(counts[commit]))
    weight = np.concatenate(weights)
    data = lightgbm.Dataset(table, right.astype(int), weight=weight / weight.mean())
    signs = [(name in RISING) - (name in FALLING) for name in FEATURES]
    more = {"monotone_constraints": signs} if kind == "here" else {}
    return lightgbm.train({**PARAMETERS, **more}, data, ROUNDS[kind])


def cross(sets: dict[str, dict[str, Any]], kind: str) -> dict[str, list[Best]]:
    """Return for each repository the best proposal of each group, judged by trees fitted on the other folds."""
    found = {}
    for part in range(FOLDS):
        held = [name for number, name in enumerate(sets) if number % FOLDS == part]
        trees = fit([one for name, one in sets.items() if name not in held], kind)
        for name in held:
            one = sets[name]
            best: dict[int, Best] = {}
            table = one[f"{kind}_rows"]
            judged = trees.predict(table) if len(table) else []
            if kind == "here":
                judged = [max(p, PROVEN) if proven(row) else p for p, row in zip(judged, table, strict=True)]
            both = [agreed(row) for row in table]
            rows = zip(one[f"{kind}_groups"].tolist(), judged, one[f"{kind}_right"].tolist(), both, strict=True)
            for group, p, right, agree in rows:
                if group >= 0 and (group not in best or p > best[group][0]):
                    best[group] = (float(p), right, agree)
            found[name] = list(best.values())
    return found


def figures(best: list[Best], chances: int, levels: Levels) -> tuple[float, float, float]:
    """Return the share of chances with an offer, the share of right ones among these, and both together."""
    offered = [right for p, right, agree in best if p >= levels[agree]]
    return len(offered) / max(1, chances), sum(offered) / max(1, len(offered)), sum(offered) / max(1, chances)


def levels_for(judged: dict[str, list[Best]], right: float, agreed_from: float | None = LEAST_THRESHOLD) -> Levels:
    """Return the thresholds at which offers are, all together, right as often as asked.

    :param agreed_from: where edits agree, offers are made from there on: who has made a change twice expects the third.
        None for the same threshold as without.
    """
    every = [one for best in judged.values() for one in best]
    level = 0.99
    for percent in range(98, int(100 * LEAST_THRESHOLD) - 1, -1):
        least = (percent / 100, percent / 100 if agreed_from is None else agreed_from)
        offered = [hit for p, hit, agree in every if p >= least[agree]]
        if len(offered) >= FEWEST and sum(offered) >= right * len(offered):
            level = percent / 100
    return level, level if agreed_from is None else agreed_from


def show(sets: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[Best]]]:
    """Print the figures of each repository at several thresholds: offered, right, reached."""
    judged = {}
    for kind in ("here", "elsewhere"):
        judged[kind] = cross(sets, kind)
        wanted = levels_for(judged[kind], RIGHT[kind])
        levels = [(0.5, 0.5), (0.7, 0.7), (0.85, 0.85), wanted]
        print(kind, "offered/right/reached at", *levels)
        told: list[list[tuple[float, float, float]]] = []
        for name, best in judged[kind].items():
            chances = int(sets[name][f"{kind}_chances"])
            groups = sets[name][f"{kind}_groups"][sets[name][f"{kind}_right"]]
            told.append([figures(best, chances, level) for level in levels])
            shares = ("{:.2f}/{:.2f}/{:.2f}".format(*one) for one in told[-1])
            print(f"  {name:32} {chances:5} {len(np.unique(groups[groups > 0])) / max(1, chances):.2f}", *shares)
        print("  mean", *("{:.3f}/{:.3f}/{:.3f}".format(*one) for one in np.mean(told, axis=0)))
    return judged


def repositories(role: str, clones: Path, only: list[str]) -> list[tuple[str, Path]]:
    """Return the repositories of a role that have a clone."""
    wanted = [one for one in json.loads((BENCHMARKS / "repositories.json").read_text("utf-8")) if one["role"] == role]
    found = []
    for one in wanted:
        clone = find(clones, one["name"])
        if clone is None:
            print(f"{one['name']}: no clone in {clones}, skipped")
        elif not only or one["name"] in only:
            found.append((one["name"], clone))
    return found


def save(work: Path, name: str, made: dict[str, Cases]) -> None:
    """Write the cases of one repository."""
    found = {}
    for kind, cases in made.items():
        found |= {f"{kind}_groups": np.array(cases.groups, np.int64), f"{kind}_chances": np.array(cases.chances)}
        found[f"{kind}_rows"] = np.array(cases.rows, np.float32).reshape(-1, len(FEATURES))
        found[f"{kind}_right"] = np.array(cases.right, bool)
    np.savez_compressed(work / f"{name.replace('/', '+')}.npz", **found)


def main() -> None:
    """Run one of the steps."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("step", choices=["collect", "cross", "fit"])
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--clones", type=Path)
    options.add_argument("--role", default=ROLE)
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--commits", type=int, default=COMMITS)
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.step == "collect":
        for name, clone in repositories(given.role, given.clones, given.only):
            save(given.work, name, collect(clone, given.commits))
            print(name, flush=True)
        return
    sets = {path.stem: dict(np.load(path)) for path in sorted(given.work.glob("*.npz"))}
    kinds = show(sets)
    if given.step == "fit":
        from lightgbm_trees import trees_of

        trees = {kind: json.loads(trees_of(fit(list(sets.values()), kind), FEATURES).dumps()) for kind in kinds}
        known = json.loads(FILE.read_text("utf-8"))
        FILE.write_text(json.dumps({**known, **trees}, separators=(",", ":")) + "\n", "utf-8")
        print("now fit the second look again: scripts/fit_second_look.py")


if __name__ == "__main__":
    main()
