"""Replays: no answer holds later code, all systems get the same cases, and the figures are right."""

import io
import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from finetune.commits import held_out_files
from finetune.commits.cases import Case
from finetune.commits.stages import ProgressReporter, ReplayPlan, commit_stages, indexed_windows
from finetune.commits.windows import SkipReport, windows
from finetune.evaluation import gate_fitting, own_gate
from finetune.evaluation.html_report import page
from finetune.evaluation.replay import ask, run, verbatim
from finetune.evaluation.report import ReportFacts, document, show
from finetune.evaluation.summary import MEASURES, summarise
from finetune.evaluation.systems import System, make_system, systems_of
from indexer.config import Settings
from indexer.data_layout import own_gate_file
from indexer.errors import UserError
from lsp_server.retrieval import gate
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.gate import Gate
from lsp_server.retrieval.word_tree import INPUTS, WordTree
from lsp_server.types import Answer, Suggestion
from tests.support import commit_histories, repositories

NAMES = "none otter lynx heron walrus badger newt gannet stoat plover marten adder curlew".split()
"""Of commits, by their numbers: a series of numbers goes on by itself, and would be no leak."""

MARKER = re.compile(r"MARK_([a-z]+)_")


def marked(text: str) -> set[int]:
    """The numbers of the commits that wrote a text."""
    return {NAMES.index(name) for name in MARKER.findall(text)}


def settings(folder) -> Settings:
    return Settings(data_dir=folder / "data", workers=1)


def poisoned(root, commits: int):
    """Every commit adds lines that hold its number, and repeats some older ones word by word."""
    text = "import store\n"
    repositories.repository(root, {"src/main.py": text, "src/other.py": text})
    for number in range(1, commits + 1):
        name = NAMES[number]
        text += f"\n\ndef step_MARK_{name}_now(store):\n    return store.advance(MARK_{name}_limit, steps=4)\n"
        commit_histories.commit(root, {"src/main.py": text, f"src/part_{number}.py": f"MARK_{name}_limit = {number}\n"})
    return root


def test_nothing_of_the_commit_or_of_the_future_is_in_the_index_or_in_an_answer(tmp_path):
    seed = random.randrange(10**6)
    print("seed", seed)
    root = poisoned(tmp_path / "r", 12)
    plan = windows(root, 100, 3)
    number_of = {
        id: number for number, id in enumerate(repositories.git(root, "rev-list", "--reverse", "HEAD").split())
    }
    oldest = [min(number_of[commit.id] for commit in window.commits) for window in plan]
    assert oldest == [1, 5, 9]
    for first, (_, index) in zip(
        oldest, indexed_windows(root, plan, settings(tmp_path), tmp_path / "one"), strict=True
    ):
        held = set().union(*(marked(index.text(document)) for document in index.documents.values()))
        assert held == set(range(1, first))
    engine = RetrievalEngine(settings(tmp_path), None)
    stages = commit_stages(
        root, plan, settings(tmp_path), ReplayPlan(40, 40, seed), tmp_path / "two", SkipReport(), ProgressReporter()
    )
    asked = 0
    for stage in stages:
        engine.set_index(stage.index)
        for case in stage.cases:
            now = number_of[case.commit]
            answers = ask(engine, case)
            for suggestion in (*answers.invoked.suggestions, *answers.automatic.suggestions):
                assert marked(suggestion.text) <= marked(case.text) | set(range(1, now)), (case, suggestion)
                asked += 1
    assert asked


def test_a_window_that_its_base_holds_is_refused(tmp_path):
    root = poisoned(tmp_path / "r", 3)
    (window,) = windows(root, 100, 1)
    wrong = replace(window, base=window.commits[0].id)
    with pytest.raises(AssertionError, match="the base holds the window"):
        list(indexed_windows(root, [wrong], settings(tmp_path), tmp_path / "w"))


class Double:
    """An engine that answers by a rule."""

    def __init__(self, rule) -> None:
        self.rule, self.open, self.indexes = rule, set(), 0

    def set_index(self, index) -> None:
        self.indexes += 1

    def update(self, document) -> None:
        self.open.add(document.uri)

    def close(self, uri) -> None:
        self.open.remove(uri)

    def complete(self, request, cancelled) -> Answer:
        assert request.document.uri in self.open
        text = self.rule(request)
        if not text:
            return Answer((), "gate")
        return Answer((Suggestion(text, request.offset, request.offset, 0.9, "double"),), "shown")


def test_systems_get_the_same_cases_and_figures_of_their_own(tmp_path):
    root = commit_histories.growing(tmp_path / "r", 8)
    plan = windows(root, 100, 2)
    truth: dict[tuple[str, int], str] = {}
    stages = list(
        commit_stages(
            root, plan, settings(tmp_path), ReplayPlan(20, 20, 3), tmp_path / "w", SkipReport(), ProgressReporter()
        )
    )
    for stage in stages:
        truth |= {(f"replay:///{case.commit}/{case.path}", case.offset): case.rest for case in stage.cases}
    oracle = Double(lambda request: truth[(request.document.uri, request.offset)])
    silent = Double(lambda request: None)
    wrong = Double(lambda request: None if request.automatic else "§")
    put = [System("silent", silent, {}), System("oracle", oracle, {}), System("wrong", wrong, {})]
    result = run(stages, put, ProgressReporter())
    assert not oracle.open
    assert oracle.indexes == len(stages) == 2
    figures = summarise(result.systems, 1)
    assert json.loads(json.dumps(figures)) == figures
    values = {name: {key: one["overall"][key]["value"] for key in MEASURES} for name, one in figures["systems"].items()}
    assert values["oracle"]["exact_start"] == values["oracle"]["exact_within"] == values["oracle"]["precision"] == 1
    assert values["oracle"]["coverage"] == values["oracle"]["similarity"] == values["oracle"]["names_exact"] == 1
    assert values["oracle"]["dismissed"] == 0
    assert 0.8 < values["oracle"]["saved"] < 1
    assert values["silent"]["exact"] == values["silent"]["coverage"] == values["silent"]["saved"] == 0
    assert values["silent"]["precision"] is None
    assert values["wrong"]["exact"] == values["wrong"]["coverage"] == 0
    assert figures["systems"]["wrong"]["calibration_error"] == pytest.approx(0.9)
    assert figures["systems"]["silent"]["silence"] == {"gate": figures["cases"]}
    pairs = {(row["from"], row["to"]): row["exact"] for row in figures["differences"]}
    assert pairs["silent", "oracle"] == {"value": 1.0, "low": 1.0, "high": 1.0, "count": figures["cases"]}
    assert pairs["oracle", "wrong"]["value"] == -1.0
    facts = ReportFacts(
        repository="r",
        head=None,
        settings=settings(tmp_path),
        asked={"seed": 1, "commits": 8, "since": None},
        stages=result.stages,
        engines={system.name: {"kind": "double"} for system in put},
        passed=SkipReport(),
        seconds=1.0,
    )
    report = document(figures, facts)
    text = io.StringIO()
    show(report, Console(file=text, width=120))
    for said in (page(report, result), text.getvalue()):
        assert "oracle minus silent" in said
        assert "+100.0 [+100, +100]" in said
    kinds = figures["systems"]["oracle"]["groups"]["kind"]
    assert sum(row["cases"] for row in kinds.values()) == figures["cases"]


def test_lines_that_stand_elsewhere_are_told_from_novel_ones(tmp_path):
    line = "    total = warehouse.count(limit=3)"
    root = repositories.repository(tmp_path / "r", {"a.py": f"def f():\n{line}\n", "b.py": "x = 1\n"})
    commit_histories.commit(root, {"b.py": f"x = 1\n\ndef g():\n{line}\n    novel = 1\n\ndef h():\n    novel = 1\n"})
    (window,) = windows(root, 9, 1)
    ((_, index),) = indexed_windows(root, [window], settings(tmp_path), tmp_path / "w")

    def case(text: str, rest: str, path: str) -> Case:
        return Case("c", path, "start", text.count("\n"), text + "\n", len(text), rest, (), False)

    cases = [
        case("def g():\n    ", line.strip(), "b.py"),
        case("def g():\n    ", line.strip(), "a.py"),  # only its own older text holds it, which the document hides
        case("def g():\n    novel = 1\n    ", "novel = 1", "b.py"),
        case("def g():\n    ", "novel = 1", "b.py"),
    ]
    assert verbatim(index, cases) == [True, False, True, False]


def test_held_out_files_are_not_in_the_index(tmp_path):
    root = tmp_path / "plain"
    rng = random.Random(4)
    files = {f"src/m{n}.py": f"# unique_{n}\n" + commit_histories.function(rng, n) for n in range(40)}
    repositories.write(root, files)
    made = held_out_files.stage(
        root, settings(tmp_path), ReplayPlan(20, 20, 1), tmp_path / "w", SkipReport(), ProgressReporter()
    )
    (stage,) = made
    held = {case.path for case in stage.cases}
    assert stage.about["held_out"] == len(files) - len(stage.index.documents) > 0
    assert held
    assert not held & set(stage.index.documents)
    for case in stage.cases:
        assert files[case.path].startswith(case.text[: case.offset] + case.rest)
        assert not case.text[case.offset :].strip()


def test_reports_of_the_version_before_are_read():
    assert systems_of({"arms": {"retrieval": 1, "copier_and_base": 2}}) == {"retrieval": 1, "hybrid_base": 2}
    assert systems_of({"systems": {"hybrid_base": 2}}) == {"hybrid_base": 2}
    with pytest.raises(KeyError):
        systems_of({})


def test_an_unknown_system_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="there is no system called oracle; name one of retrieval, "):
        make_system("oracle", settings(tmp_path), tmp_path, None)


def examples(rng, count, shift):
    """Cursors with one word each, whose outcomes follow the log-odds of the shipped trees, shifted."""
    values = rng.normal(size=(count, len(INPUTS)))
    right = rng.random(count) < 1 / (1 + np.exp(-(gate.shipped_trees().scores(values) + shift)))
    made = [one_word(row, outcome) for row, outcome in zip(values, right, strict=True)]
    return gate_fitting.GateExamples(made, count)


def one_word(row, right):
    rows = np.array([np.zeros(len(INPUTS)), row])
    tree = WordTree(["", "configuration"], [-1, 0], [0, 0], [False, False], [[1], []], rows)
    return gate_fitting.GateExample(tree, [True, bool(right)])


def test_a_gate_is_fitted_kept_only_if_better_and_then_used(tmp_path):
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = np.random.default_rng(seed)
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    head = repositories.git(root, "rev-parse", "HEAD").strip()
    later = commit_histories.commit(root, {"a.py": "x = 2\n"})
    mine = settings(tmp_path)
    shifted = [(examples(rng, 400, 2.5), {"newest": head}) for _ in range(3)]
    with pytest.raises(UserError, match="are too few"):
        gate_fitting.refit(shifted[:1], mine, root)
    done = gate_fitting.refit(shifted, mine, root)
    assert done.after["log_loss"] < done.before["log_loss"]
    assert done.after["calibration_error"] < done.before["calibration_error"]
    path = own_gate_file(mine, root)
    assert done.written == path
    fitted = Gate.load(path)
    assert fitted.bias > Gate.shipped().bias + 1
    # A replay uses it only where everything it was fitted on lies before the first index.
    assert own_gate.usable(mine, root, later).bias == fitted.bias
    assert own_gate.usable(mine, root, head).bias == fitted.bias
    repositories.git(root, "checkout", "-q", "--orphan", "rewritten")
    rewritten = commit_histories.commit(root, {"a.py": "x = 3\n"})
    assert own_gate.usable(mine, root, rewritten) is None
    assert own_gate.usable(mine, root, None) is None
    path.unlink()
    same = [(examples(rng, 400, 0.0), {"newest": head}) for _ in range(3)]
    done = gate_fitting.refit(same, mine, root)
    assert path.exists() == (done.written is not None)
    if done.gain <= done.noise:
        assert done.written is None


def test_a_gate_that_would_fall_silent_is_not_kept():
    """It may be right about a history in which little is right, but a team that gets no suggestion has lost its tool."""
    shipped = {"coverage": 0.2, "precision": 0.4, "saved": 2.0}
    silent = {"coverage": 0.0, "precision": None, "saved": 0.0}
    shy = {"coverage": 0.1, "precision": 0.7, "saved": 1.0}
    assert not gate_fitting.as_useful(shipped, silent, 0.66)
    assert gate_fitting.as_useful(shipped, shy, 0.66)  # the shipped gate was too bold
    assert not gate_fitting.as_useful({**shipped, "precision": 0.7}, shy, 0.66)
    assert gate_fitting.as_useful({**shipped, "precision": 0.7}, {**shy, "saved": 1.9}, 0.66)
    assert gate_fitting.as_useful(silent, silent, 0.66)
