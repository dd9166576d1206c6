"""``docs/evaluation.md`` holds the figures of the last benchmark, and every option is in it or in ``--help``."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from lsp_server.edits.thresholds import Level

ROOT = Path(__file__).parents[3]

FITTED = ("fit", "fit-gate")
"""Roles of repositories that ranker or gate were fitted on; the others are reported on, some by two benchmarks."""

EDITS = ("fit-edits", "fit-second-look", "edits", "edits-before", "vscode-edits")
FUSION = ("fit-fusion", "fusion")
"""Roles of repositories that next edits and fusion were fitted on, or are reported on."""

TIMES = ("model-typing", "night")
"""Only times and memory are reported of them, and what a night decided."""


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as for a script: its neighbours can be imported
    spec = importlib.util.spec_from_file_location("bench_replay", ROOT / "benchmarks" / "bench_replay.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_that_of_the_results(bench):
    if not bench.RESULTS.exists():
        pytest.skip("no results are kept: run benchmarks/bench_replay.py")
    results = json.loads(bench.RESULTS.read_text("utf-8"))
    rows = [bench.row(report) for report in results["reports"]]
    assert rows == results["rows"]
    assert bench.means(rows) == results["means"]
    assert bench.table(rows, results["means"]) in bench.PAGE.read_text("utf-8")


def test_the_baselines_table_is_that_of_its_results(bench):
    found = json.loads(bench.BASELINE.read_text("utf-8"))
    assert len(found) == 5
    assert bench.baseline_table(found) in bench.PAGE.read_text("utf-8")


@pytest.fixture
def fitting(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    spec = importlib.util.spec_from_file_location("fit_second_look", ROOT / "scripts" / "fit_second_look.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_next_edits_are_judged_as_the_server_chooses_them(fitting):
    """Of each line the best text counts, of each moment the most probable one that reaches its own threshold."""
    plain, agreed, held = Level(1, False), Level(1, True), Level(1, False, held=True)
    cases = fitting.Cases(
        moments=[1, 1, 1, 2, 2],
        places=[5, 5, 6, 5, 6],
        least=[0.0, 0.0, 0.0, 0.0, 0.9],
        levels=[plain, plain, agreed, held, plain],
        rows=[[0.0]] * 5,
        right=[False, True, True, True, False],
    )
    best = fitting.best_of(cases, [0.7, 0.6, 0.5, 0.95, 0.1])
    assert best == [[(0.7, False, plain), (0.5, True, agreed)], [(0.9, False, plain)]]
    assert fitting.offers(best, (0.65, 0.4)) == [False, False]
    assert fitting.offers(best, (0.8, 0.4)) == [True, False]
    assert fitting.offers(best, (0.95, 0.6)) == []


def test_the_table_of_next_edits_is_that_of_its_results(fitting):
    module = fitting
    judged = json.loads(module.RESULTS.read_text("utf-8"))["judged"]["repositories"]
    reported = json.loads((ROOT / "benchmarks" / "repositories.json").read_text("utf-8"))
    assert set(judged) == {one["name"].replace("/", "+") for one in reported if one["role"] == "edits"}
    assert module.table(judged) in module.PAGE.read_text("utf-8")


def test_fitted_and_reported_repositories_are_apart(bench):
    repositories = json.loads(bench.REPOSITORIES.read_text("utf-8"))
    fitted = [one["name"] for one in repositories if one["role"] in FITTED]
    reported = [
        (one["name"], one["role"]) for one in repositories if one["role"] not in (*FITTED, *EDITS, *FUSION, *TIMES)
    ]
    assert len(fitted) == len(set(fitted)) and len(reported) == len(set(reported))
    assert not set(fitted) & {name for name, _ in reported}
    assert {role for _, role in reported} == {"typing", "typing-before", "sound", "sound-before", *bench.ROLES}
    assert all(len(one["commit"]) == 40 and one["license"] for one in repositories)


def test_results_hold_no_code(bench):
    if not bench.RESULTS.exists():
        pytest.skip("no results are kept: run benchmarks/bench_replay.py")
    results = json.loads(bench.RESULTS.read_text("utf-8"))
    for report in results["reports"]:
        assert not {"text", "rest", "best", "shown"} & set(str(report).split("'"))
        assert len(report["head"]) == 40
        assert report["machine"]["cores"]
