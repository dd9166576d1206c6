"""Fitting how retrieval and a model are weighed: on words of known outcome, and by the real command with a real model."""

from pathlib import Path

import numpy as np
import pytest

from finetune.evaluation.fusion_fitting import FusionExamples, examples_of, fit, refit, together
from indexer.config import Settings
from indexer.data_layout import own_fusion_file
from indexer.errors import UserError
from lsp_server.backends.base import Judgement
from lsp_server.model.fusion import FEATURES, Fusion, Kind
from lsp_server.model.joint_words import joint_words
from lsp_server.model.requests import ModelAnswer
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
    with pytest.raises(UserError, match="too few"):
        refit([(drawn(1, 20, 0.0), {}), (drawn(2, 20, 0.0), {})], mine, root)
    done = refit([(drawn(n, 500, 1.5), {"newest": str(n)}) for n in (1, 2, 3)], mine, root)
    assert done.written == own_fusion_file(mine, root) and done.after < done.before
    assert "it is used from now on" in done.sentences()[1]
    assert Fusion.of_repository(mine, root).weights[Kind.OWN][0] > Fusion.load().weights[Kind.OWN][0] + 0.5
    done.written.unlink()
    done = refit([(drawn(4, 500, 1.5), {}), (drawn(5, 500, -1.5), {})], mine, root)
    assert done.written is None and "the shipped one stays" in done.sentences()[1]
    assert Fusion.of_repository(mine, root).weights == Fusion.load().weights


def test_a_damaged_file_leaves_the_shipped_fusion(tmp_path: Path) -> None:
    root = repositories.repository(tmp_path / "r", {"a.py": "x = 1\n"})
    mine = Settings(data_dir=tmp_path / "data")
    own_fusion_file(mine, root).parent.mkdir(parents=True)
    own_fusion_file(mine, root).write_text("{")
    assert Fusion.of_repository(mine, root).weights == Fusion.load().weights


@pytest.mark.model
def test_the_command_asks_a_real_model_and_says_what_is_missing(tmp_path: Path) -> None:
    root = commit_histories.growing(tmp_path / "r", 4)
    given = ("--fit-model", "--base", SMALL_LLAMA, "--cases", "8", "--windows", "2", "--commits", "3")
    done = commit_histories.evaluate(root, tmp_path / "data", *given)
    assert (done.returncode, done.stderr.strip().count("\n")) == (1, 0), done.stderr
    assert "are too few (60 each are needed)" in done.stderr
    done = commit_histories.evaluate(root, tmp_path / "data", "--fit-model", "--windows", "1", "--base", SMALL_LLAMA)
    assert "with one window there is no newer one to judge by" in done.stderr
    assert together([]).cursors == 0
