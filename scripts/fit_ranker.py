"""Fits the ranker that Ondol ships, on the commit histories of public repositories.

    python scripts/fit_ranker.py collect --work DIR REPOSITORY...     features of cases, one .npz a repository
    python scripts/fit_ranker.py fit --work DIR --held-out NAME...    lsp_server/data/ranker.json

Each repository is replayed as by ``ondol eval``: the features of a case come from an index of the tree before its
window of commits, and moved lines are left out. The ranker is a boosted tree ensemble with the LambdaRank loss (the
logistic loss over single candidates was 0.4 points worse at line starts and 1.1 within lines). Repositories named with
--held-out are not used. LightGBM is needed for fitting only. ``fit_gate.py`` fits the gate.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from fit_steps import Sample, name_of, parts_of, run
from lightgbm_trees import trees_of

from finetune.commits.cases import Case, choose
from finetune.commits.stages import ReplayPlan
from finetune.commits.windows import SkipReport
from finetune.evaluation.replay import documents_of, request_of
from lsp_server.retrieval import ranker
from lsp_server.retrieval.ranker_features import FEATURES

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


def collect(root: Path, work: Path, sample: Sample) -> None:
    """Write the features of a repository's cases, one row a candidate, and which candidates are right."""
    name, passed = name_of(root), SkipReport()
    amount = ReplayPlan(sample.amount // 2, sample.amount - sample.amount // 2, SEED)
    rows, right, sizes, starts, texts, total = [], [], [], [], [], {True: 0, False: 0}
    for part in parts_of(root, work, sample, passed):
        for case in choose(part.edits, amount.share(part.number, part.count), SEED + part.number):
            if case.moved:  # it was not typed, and would raise the gate's probabilities
                continue
            total[case.kind == "start"] += 1
            found = features(case, part.index)
            if found is None:
                continue
            feature_rows, spelled = found
            rows.append(feature_rows.astype(np.float32))
            right.append(np.array([text == case.rest for text in spelled]))
            texts.append([len(text) if text is not None else -1 for text in spelled])
            sizes.append(len(spelled))
            starts.append(case.kind == "start")
    np.savez(
        work / f"{name}.npz",
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


def best(one: dict[str, Any], scores: Any) -> list[tuple[bool, bool]]:
    """Return for each case: whether it is at a line's start, and whether the best option is right."""
    out, place = [], 0
    for size, start in zip(one["sizes"], one["starts"], strict=True):
        part = slice(place, place + size)
        place += size
        order = np.argsort(-scores[part])
        options = [i for i in order if one["lengths"][part][i] > 0]
        out.append((bool(start), bool(options and one["right"][part][options[0]])))
    return out


def report(name: str, one: dict[str, Any], scores: Any) -> dict[str, Any]:
    """Return the figures of one repository: exact rest of line by kind of cursor."""
    results = np.array(best(one, scores))
    total = one["total"]
    return {
        "repository": name,
        "start": round(float((results[:, 0] & results[:, 1]).sum() / total[0]), 4),
        "within": round(float((~results[:, 0] & results[:, 1]).sum() / total[1]), 4),
        "reachable": [round(x, 4) for x in _reachable(one)],
    }


def _reachable(one: dict[str, Any]) -> tuple[float, float]:
    place, got = 0, [0, 0]
    for size, start in zip(one["sizes"], one["starts"], strict=True):
        got[0 if start else 1] += bool(one["right"][place : place + size].any())
        place += size
    return got[0] / one["total"][0], got[1] / one["total"][1]


def fit(work: Path, held_out: list[str]) -> None:
    """Fit the ranker to all repositories but the held-out ones, and report on those."""
    booster = train(list(load(work, held_out=held_out).values()))
    (DATA / "ranker.json").write_text(trees_of(booster, FEATURES).dumps())
    lines = [
        report(n, one, booster.predict(one["rows"], raw_score=True, num_threads=1))
        for n, one in load(work, names=held_out).items()
    ]
    for line in lines:
        print(json.dumps(line))
    for key in ("start", "within"):
        print(key, round(float(np.mean([line[key] for line in lines])), 4))
    gains = sorted(zip(booster.feature_importance("gain"), FEATURES, strict=True), reverse=True)
    print([(name, round(gain)) for gain, name in gains])


if __name__ == "__main__":
    run(__doc__, collect, fit, Sample(commits=100, windows=4, amount=800))
