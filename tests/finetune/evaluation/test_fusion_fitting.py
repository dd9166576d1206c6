"""Fitting how retrieval and a model are weighed: on words of known outcome, and by the real command with a real model."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from finetune.commits.stages import SILENT, Stage, index_of
from finetune.commits.typed_hunks import TypedHunk
from finetune.evaluation.fusion_examples import FusionExamples, KeyPlan, TypedWindow, collect, examples_of, together
from finetune.evaluation.fusion_fitting import fit, refit
from indexer.config import Settings
from indexer.data_layout import own_fusion_file
from indexer.errors import UserError
from lsp_server.backends.base import Judgement
from lsp_server.model.fusion import FEATURES, Fusion, Kind
from lsp_server.model.joint_words import joint_words
from lsp_server.model.requests import ModelAnswer, ModelRequest
from lsp_server.retrieval.word_tree import WordTree
from tests.support import commit_histories, repositories

SMALL_LLAMA = Path(__file__).parents[2] / "fixtures" / "small_llama"


def drawn(seed: int, count: int, bias: float) -> FusionExamples:
    """Words whose outcome follows the shipped weights, with log-odds that are moved by a bias."""
    print("seed", seed)
    rng, shipped = np.random.default_rng(seed), Fusion.load()
    rows, right = {}, {}
    for kind in Kind:
        x = rng.normal(0, 1.5, (count, len(FEATURES[kind])))
        x[:, 0] = 1.0
        rows[kind] = x
        odds = x @ np.array(shipped.weights[kind]) + bias
        right[kind] = rng.random(count) < 1 / (1 + np.exp(-odds))
    return FusionExamples(rows, right, count)


def window(name: int, biases: list[float], count: int = 60) -> TypedWindow:
    """A window whose hunks have words with these biases."""
    hunks = [drawn(100 * name + number, count, bias) for number, bias in enumerate(biases)]
    return TypedWindow({"newest": str(name)}, hunks)


def test_words_are_examples_where_the_author_wrote_those_before_them() -> None:
    tree = WordTree()
    first = tree.add(0, "total", 0)
    tree.add(tree.add(tree.add(first, ".", 0), "add", 0), "", 0)
    own = Judgement((5, 6, 9), (-0.1, -0.1, -0.1), -0.1)
    answer = ModelAnswer(
        ("total.top",), "line", own=own, judged={"total.add": Judgement((5, 6, 9), (-0.1, -0.1, -3.0))}
    )
    found = examples_of(joint_words(tree, np.full(5, 0.5), answer), "total.top")
    counts = {kind.name: (len(one), int(one.sum())) for kind, one in found.right.items()}
    assert counts == {"AGREED": (2, 2), "COPIED": (1, 0), "UNKNOWN": (0, 0), "OWN": (2, 2)}


def test_a_fit_finds_the_weights_behind_the_outcomes() -> None:
    examples, shipped = drawn(3, 4000, 1.0), Fusion.load()
    fitted = fit(examples)
    for kind in Kind:
        moved = np.array(fitted.weights[kind]) - np.array(shipped.weights[kind])
        assert moved[0] == pytest.approx(1.0, abs=0.25)
        assert np.abs(moved[1:]).max() < 0.25
    assert examples.losses(fitted).mean() < examples.losses(shipped).mean()


def test_a_repositorys_own_fusion_is_kept_only_if_the_newest_window_is_better_with_it(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    mine = Settings(data_dir=tmp_path / "data")
    with pytest.raises(UserError, match="7 hunks with 420 keys to judge by are too few"):
        refit([window(1, [0.0] * 8), window(2, [0.0] * 7)], mine, root)
    with pytest.raises(UserError, match="8 hunks with 40 keys to judge by are too few"):
        refit([window(1, [0.0] * 8), window(2, [0.0] * 8, count=5)], mine, root)
    done = refit([window(n, [1.5] * 8) for n in (1, 2, 3)], mine, root)
    assert done.written == own_fusion_file(mine, root) and done.after < done.before
    assert (done.fitted_hunks, done.fitted_on, done.judged_hunks, done.judged_on) == (16, 960, 8, 480)
    assert json.loads(done.written.read_text())["about"] == {"fitted_until": "2", "judged_until": "3"}
    assert "it is used from now on" in done.sentences()[1]
    assert Fusion.of_repository(mine, root).weights[Kind.OWN][0] > Fusion.load().weights[Kind.OWN][0] + 0.5
    done.written.unlink()
    done = refit([window(4, [1.5] * 8), window(5, [-1.5] * 8)], mine, root)
    assert done.written is None and "the shipped one stays" in done.sentences()[1]
    assert Fusion.of_repository(mine, root).weights == Fusion.load().weights


def test_a_newest_window_that_was_cut_short_judges_with_the_one_before_it(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    mine = Settings(data_dir=tmp_path / "data")
    done = refit([window(1, [1.5] * 9), window(2, [1.5] * 7), window(3, [1.5] * 2)], mine, root)
    assert (done.fitted_hunks, done.judged_hunks) == (9, 9)


def test_words_of_one_hunk_are_one_witness(tmp_path: Path) -> None:
    """One long hunk that agrees with the older ones must not outweigh seven short ones that do not."""
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    mine = Settings(data_dir=tmp_path / "data")
    agrees, others = drawn(900, 300, 1.5), [drawn(901 + number, 30, -0.8) for number in range(7)]
    done = refit([window(1, [1.5] * 8), TypedWindow({}, [agrees, *others])], mine, root)
    assert done.after < done.before, "the mean is better"
    assert done.written is None


HUNK = TypedHunk("c", "a.py", "python", "import shop\n", ("total = shop.total()", "print(total)"), (), ("", "x = 1"))


class Answering:
    """A runner whose model always writes the same line, and which counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.context_builder = self

    def set_source(self, source: object) -> None: ...
    def close(self, uri: str) -> None: ...

    def ask(self, request: ModelRequest) -> "Answering":
        assert request.single_line and request.count == 1
        self.asked.append(request.prefix.rpartition("\n")[2])
        return self

    def wait(self, until: float) -> ModelAnswer:
        return ModelAnswer((".total()",), "line", line_logprob=-0.5)


def test_the_model_is_asked_while_a_hunk_is_typed_and_no_longer_than_its_share_of_the_time(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "r", {"b.py": "y = 1\n"})
    index, about = index_of(root, replace(Settings(), workers=1), tmp_path)
    keys = [line[:at] for line in HUNK.lines for at in range(len(line) + 1)][:-1]
    stages: Any = [Stage(index, [], about, [HUNK] * 3) for _ in range(2)]
    runner, done = Answering(), list[TypedWindow]()
    collect(stages, cast(Any, runner), KeyPlan(1, every=1, windows=2), SILENT, done)
    assert runner.asked == 6 * keys
    assert [[hunk.keys for hunk in one.hunks] for one in done] == [[len(keys)] * 3] * 2
    right = done[0].hunks[0].right[Kind.OWN]
    assert 0 < right.sum() < len(right), "the model's line is the author's at the key behind `shop`, and at no other"

    clock = iter(range(10_000))
    done = []
    plan = KeyPlan(1, every=1, windows=2, seconds=40, clock=lambda: float(next(clock)))
    collect(stages, cast(Any, Answering()), plan, SILENT, done)
    first, second = (sum(hunk.keys for hunk in one.hunks) for one in done)
    assert first == 20 and 15 < second < 20, "a look at the clock takes a second of it, between keys as well"


def test_a_damaged_file_leaves_the_shipped_fusion(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    mine = Settings(data_dir=tmp_path / "data")
    own_fusion_file(mine, root).parent.mkdir(parents=True)
    own_fusion_file(mine, root).write_text("{")
    assert Fusion.of_repository(mine, root).weights == Fusion.load().weights


def short_hunks(root: Path, commits: int) -> Path:
    """A history whose commits add one line each."""
    text = "total = 0\n"
    repositories.repository(root, {"a.py": text})
    for number in range(commits):
        text += f"total += feed_{number}()\n"
        commit_histories.commit(root, {"a.py": text})
    return root


@pytest.mark.model
def test_the_command_asks_a_real_model_while_hunks_are_typed(tmp_path: Path) -> None:
    root = short_hunks(tmp_path / "r", 18)
    given = ("--fit-model", "--base", SMALL_LLAMA, "--windows", "2", "--json")
    report = commit_histories.report(root, tmp_path / "data", *given, "--hunks", "18")
    assert (report["fitted_hunks"], report["judged_hunks"], report["partial"]) == (9, 9, False)
    assert report["fitted_on"] > 60 and report["seconds"] > 0
    assert (report["written"] is not None) == (report["before"] - report["after"] > report["noise"])
    given = ("--fit-model", "--base", SMALL_LLAMA, "--hunks", "8", "--windows", "2", "--minutes", "0.001")
    done = commit_histories.evaluate(root, tmp_path / "data", *given)
    assert (done.returncode, done.stderr.strip().count("\n")) == (1, 0), done.stderr
    assert "(8 hunks and 60 keys each are needed)" in done.stderr and "--minutes" in done.stderr
    done = commit_histories.evaluate(root, tmp_path / "data", "--fit-model", "--windows", "1", "--base", SMALL_LLAMA)
    assert "with one window there is no newer one to judge by" in done.stderr
    assert together([]).keys == 0


@pytest.mark.model
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(("hunks", "said"), [(3, "stopped by SIGTERM after 3 hunks, too few"), (20, "are partial")])
def test_a_stopped_command_uses_what_was_typed_if_it_is_enough(tmp_path: Path, hunks: int, said: str) -> None:
    root = short_hunks(tmp_path / "r", 30)
    code = (  # it stops at the key behind this number of hunks
        "import os, signal, sys\nfrom finetune.evaluation import fusion_examples\n"
        "count, keys = int(sys.argv.pop()), fusion_examples._keys\n"
        "def stopped(*given):\n    global count\n    count -= 1\n"
        "    os.kill(os.getpid(), signal.SIGTERM) if count < 0 else None\n    return keys(*given)\n"
        "fusion_examples._keys = stopped\nfrom finetune.cli import main\nmain()\n"
    )
    given = ("eval", root, "--fit-model", "--base", SMALL_LLAMA, "--windows", "3", "--hunks", "30")
    command = [sys.executable, "-c", code, *given, "--data-dir", tmp_path / "data", str(hunks)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 143, done.stderr
    assert said in done.stdout + done.stderr and "Traceback" not in done.stderr
    assert ("Fitted on" in done.stdout) == (hunks == 20)
    assert not list((tmp_path / "data").glob("eval*/*")), "trees and indexes of the replay are removed"
