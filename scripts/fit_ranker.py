"""Fits the ranker and the gate that Ondol ships, on the commit histories of public repositories.

    python scripts/fit_ranker.py collect --work DIR REPOSITORY...     features of cases, one .npz a repository
    python scripts/fit_ranker.py fit --work DIR --held-out NAME...    lsp_server/data/ranker.json, gate.json

Each repository is replayed as by ``ondol eval``: the features of a case come from an index of the tree before its
window of commits, and moved lines are left out. The ranker is a boosted tree ensemble with the LambdaRank loss (the
logistic loss over single candidates was 0.4 points worse at line starts and 1.1 within lines). The gate is fitted on
scores of ensembles that had not seen the repository (folds of whole repositories), so that its probabilities also
hold for repositories that nothing was fitted on. Repositories named with --held-out are in neither. LightGBM is
needed for fitting only.
"""

import argparse
import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from finetune.commits.cases import Case, choose
from finetune.commits.stages import ReplayPlan, indexed_windows
from finetune.commits.windows import SkipReport, edits, windows
from finetune.evaluation.replay import documents_of, request_of
from indexer.config import Settings
from lsp_server.retrieval import gate, ranker
from lsp_server.retrieval.ranker_features import FEATURES
from lsp_server.retrieval.trees import TreeEnsemble, sigmoid

DATA = Path(__file__).parent.parent / "lsp_server" / "data"
SEED = 20261121
PARAMETERS = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 8,
    "learning_rate": 0.06,
    "num_leaves": 31,
    "max_depth": 6,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbose": -1,
    "num_threads": 1,
    "seed": SEED,
    "deterministic": True,
}
ROUNDS = 160
GATE_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.04,
    "num_leaves": 15,
    "max_depth": 6,
    "min_data_in_leaf": 80,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "verbose": -1,
    "num_threads": 1,
    "seed": SEED,
    "deterministic": True,
}
GATE_ROUNDS = 150


def collect(root: Path, work: Path, commits: int, parts: int, cases: int) -> None:
    """Write the features of a repository's cases, one row a candidate, and which candidates are right."""
    name = "+".join(root.resolve().parts[-2:]) if root.name == "repo" else root.name
    plan, passed = windows(root, commits, parts), SkipReport()
    settings = replace(Settings(), workers=1)
    amount = ReplayPlan(cases // 2, cases - cases // 2, SEED)
    rows, right, sizes, starts, texts, total = [], [], [], [], [], {True: 0, False: 0}
    with tempfile.TemporaryDirectory(dir=work) as folder:
        indexed = indexed_windows(root, plan, settings, Path(folder))
        for part, (window, index) in enumerate(indexed):
            changed = edits(root, window, settings, passed)
            for case in choose(changed, amount.share(part, len(plan)), SEED + part):
                if case.moved:  # it was not typed, and would raise the gate's probabilities
                    continue
                total[case.kind == "start"] += 1
                found = features(case, index)
                if found is None:
                    continue
                feature_rows, spelled = found
                rows.append(feature_rows.astype(np.float32))
                right.append(np.array([text == case.rest for text in spelled]))
                texts.append([len(text) if text is not None else -1 for text in spelled])
                sizes.append(len(spelled))
                starts.append(case.kind == "start")
    np.savez(
        work / f"{name.replace('+repo', '')}.npz",
        rows=np.concatenate(rows),
        right=np.concatenate(right),
        sizes=sizes,
        starts=starts,
        lengths=np.concatenate(texts),
        total=[total[True], total[False]],
        head=subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
    )
    held = [bool(r.any()) for r in right]
    print(
        name,
        "cases",
        total,
        "right one among the candidates",
        round(sum(held) / max(1, sum(total.values())), 3),
        passed.reasons,
        flush=True,
    )


def features(case: Case, index: Any) -> tuple[Any, list[str | None]] | None:
    """Return the feature rows of a case's candidates and their texts, None where one does not continue the line."""
    engine = ranker.Ranker(None)
    engine.set_index(index)
    for document in documents_of(case):
        engine.update(document)
    request = request_of(case, automatic=False)
    retrieved = engine.retrieve(request.document, request.offset, lambda: False)
    if retrieved is None:
        return None
    return retrieved.candidates.rows, [retrieved.text(number) for number in range(len(retrieved.candidates.best))]


def load(work: Path, names: list[str] | None = None, held_out: list[str] = []) -> dict[str, dict[str, Any]]:  # noqa: B006
    """The collected repositories by name."""
    found = {}
    for path in sorted(work.glob("*.npz")):
        if (names is None or path.stem in names) and path.stem not in held_out:
            with np.load(path) as data:
                found[path.stem] = {key: data[key] for key in data.files}
    return found


def train(sets: list[dict[str, Any]]) -> Any:
    """Fit the ranker to the candidates of some repositories."""
    import lightgbm

    rows = np.concatenate([one["rows"] for one in sets])
    right = np.concatenate([one["right"] for one in sets])
    usable = np.concatenate([one["lengths"] for one in sets]) >= 0
    sizes = np.concatenate([one["sizes"] for one in sets])
    groups = np.bincount(np.repeat(np.arange(len(sizes)), sizes)[usable], minlength=len(sizes))
    data = lightgbm.Dataset(
        rows[usable], right[usable].astype(int), group=groups[groups > 0], feature_name=list(FEATURES)
    )
    return lightgbm.train(PARAMETERS, data, ROUNDS)


def best_options(one: dict[str, Any], scores: Any) -> list[tuple[bool, bool, Any]]:
    """For each case: at line start, whether the best option is right, and the gate's inputs (None without options)."""
    out, place = [], 0
    for size, start in zip(one["sizes"], one["starts"], strict=True):
        part = slice(place, place + size)
        place += size
        s, lengths, right, rows = scores[part], one["lengths"][part], one["right"][part], one["rows"][part]
        order = np.argsort(-s)
        options = [i for i in order if lengths[i] > 0][: ranker.TEXTS]
        ends = [float(s[i]) for i in order if lengths[i] == 0][:1]
        if not options:
            out.append((bool(start), False, None))
            continue
        ranked = _Ranked([_Option(float(s[i]), "x" * int(lengths[i]), rows[i].astype(float)) for i in options], ends)
        out.append((bool(start), bool(right[options[0]]), gate.inputs(ranked)))
    return out


class _Option:
    def __init__(self, score: float, text: str, row: Any) -> None:
        self.score, self.text, self.features = score, text, row


class _Ranked:
    def __init__(self, options: list[_Option], ends: list[float]) -> None:
        self.options, self.ends = options, ends[0] if ends else None


def trees_of(booster: Any, names: tuple[str, ...] = FEATURES) -> TreeEnsemble:
    """Return a LightGBM model as a plain ensemble."""
    feature, threshold, left, right, value, roots = [], [], [], [], [], []
    deepest = 0

    def add(node: dict[str, Any], depth: int) -> int:
        nonlocal deepest
        deepest = max(deepest, depth)
        here = len(feature)
        leaf = "leaf_value" in node
        feature.append(0 if leaf else node["split_feature"])
        threshold.append(0.0 if leaf else node["threshold"])
        value.append(node["leaf_value"] if leaf else 0.0)
        left.append(here)
        right.append(here)
        if not leaf:
            left[here] = add(node["left_child"], depth + 1)
            right[here] = add(node["right_child"], depth + 1)
        return here

    for tree in booster.dump_model()["tree_info"]:
        roots.append(add(tree["tree_structure"], 0))
    return TreeEnsemble(
        names,
        np.array(feature),
        np.array(threshold),
        np.array(left),
        np.array(right),
        np.array(value),
        np.array(roots),
        deepest,
    )


def fit_gate(judged: dict[str, tuple[Any, Any]], folds: int) -> gate.Gate:
    """Fit the gate to cases that the rankers had not seen; its calibration is fitted on folds unseen by its trees."""
    names = sorted(judged)
    scores, right = [], []
    for fold in range(folds):
        seen = [judged[name] for number, name in enumerate(names) if (number // 2) % folds != fold]
        trees = gate_trees(seen)
        for number, name in enumerate(names):
            if (number // 2) % folds == fold:
                scores.append(trees.scores(judged[name][0]))
                right.append(judged[name][1])
    outcome = np.concatenate(right)
    slope, bias = gate.calibrate(np.concatenate(scores), outcome)
    probability = sigmoid(slope * np.concatenate(scores) + bias)
    return gate.Gate(gate_trees(list(judged.values())), slope, bias, gate.thresholds(probability, outcome))


def gate_trees(sets: list[tuple[Any, Any]]) -> TreeEnsemble:
    """Fit an ensemble to the gate's inputs."""
    import lightgbm

    rows, right = np.concatenate([x for x, _ in sets]), np.concatenate([y for _, y in sets])
    return trees_of(
        lightgbm.train(GATE_PARAMETERS, lightgbm.Dataset(rows, right.astype(int)), GATE_ROUNDS), gate.INPUTS
    )


def report(name: str, one: dict[str, Any], scores: Any, fitted: gate.Gate) -> dict[str, Any]:
    """Figures of one repository: exact rest of line by kind, precision and coverage, calibration."""
    results = best_options(one, scores)
    nothing = np.zeros(len(gate.INPUTS))
    probability = fitted.probabilities(np.array([nothing if x is None else x for _, _, x in results]))
    probability *= np.array([x is not None for _, _, x in results])
    right = np.array([r for _, r, _ in results])
    start = np.array([s for s, _, _ in results])
    total = one["total"]
    shown = probability >= fitted.threshold(0.66)
    order = np.argsort(-probability)[: int(0.3 * total.sum())]
    bins = np.minimum((probability * 10).astype(int), 9)
    error = sum(
        abs(probability[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in range(10)
        if (bins == b).any()
    )
    return {
        "repository": name,
        "start": round(right[start].sum() / total[0], 4),
        "within": round(right[~start].sum() / total[1], 4),
        "shown": round(shown.sum() / total.sum(), 4),
        "precision": round(right[shown].mean(), 4) if shown.any() else None,
        "precision_at_30": round(right[order].mean(), 4),
        "calibration_error": round(float(error), 4),
        "reachable": [round(x, 4) for x in _reachable(one)],
    }


def _reachable(one: dict[str, Any]) -> tuple[float, float]:
    place, got = 0, [0, 0]
    for size, start in zip(one["sizes"], one["starts"], strict=True):
        got[0 if start else 1] += bool(one["right"][place : place + size].any())
        place += size
    return got[0] / one["total"][0], got[1] / one["total"][1]


def fit(work: Path, held_out: list[str], folds: int) -> None:
    """Fit ranker and gate to all repositories but the held-out ones, and report on those."""
    sets = load(work, held_out=held_out)
    names = sorted(sets)
    judged: dict[str, tuple[Any, Any]] = {}
    for fold in range(folds):
        booster = train([sets[name] for number, name in enumerate(names) if number % folds != fold])
        for name in names[fold::folds]:
            scores = booster.predict(sets[name]["rows"], raw_score=True, num_threads=1)
            judgeable = [(x, r) for _, r, x in best_options(sets[name], scores) if x is not None]
            judged[name] = np.array([x for x, _ in judgeable]), np.array([r for _, r in judgeable])
    fitted = fit_gate(judged, folds)
    (DATA / "gate-trees.json").write_text(fitted.trees.dumps())
    booster = train(list(sets.values()))
    trees = trees_of(booster)
    DATA.mkdir(exist_ok=True)
    (DATA / "ranker.json").write_text(trees.dumps())
    (DATA / "gate.json").write_text(fitted.dumps())
    lines = [
        report(n, one, booster.predict(one["rows"], raw_score=True, num_threads=1), fitted)
        for n, one in load(work, names=held_out).items()
    ]
    for line in lines:
        print(json.dumps(line))
    for key in ("start", "within", "precision_at_30", "calibration_error", "shown"):
        print(key, round(float(np.mean([line[key] for line in lines])), 4))
    gains = sorted(zip(booster.feature_importance("gain"), FEATURES, strict=True), reverse=True)
    print([(name, round(gain)) for gain, name in gains])


def main() -> None:
    """The two steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "fit"))
    parser.add_argument("repositories", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--cases", type=int, default=800)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--held-out", nargs="*", default=[])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.step == "fit":
        fit(options.work, options.held_out, options.folds)
    for root in options.repositories:
        collect(root, options.work, options.commits, options.windows, options.cases)


if __name__ == "__main__":
    main()
