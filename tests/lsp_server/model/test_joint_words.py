"""The joint tree of copies and the model's line, and the fusion of what both say about its words."""

import math
from pathlib import Path

import numpy as np
import pytest

from lsp_server.backends.base import Judgement
from lsp_server.model.fusion import Fusion, Kind, kinds
from lsp_server.model.joint_words import OWN, JointWords, joint_words
from lsp_server.model.requests import ModelAnswer
from lsp_server.retrieval.word_tree import WordTree, words_of


def tree_of(*texts: str) -> tuple[WordTree, np.ndarray]:
    tree = WordTree()
    for number, text in enumerate(texts):
        node = 0
        for word in (*words_of(text), ""):
            found = [one for one in tree.children[node] if tree.word(one) == word]
            node = found[0] if found else tree.add(node, word, number)
    return tree, np.full(len(tree.text), 0.5)


def by_text(joint: JointWords) -> dict[tuple[str, bool], int]:
    return {(joint.tree.text[node], joint.tree.ends[node]): node for node in range(1, len(joint.tree.text))}


def test_words_that_both_propose_are_one_node_and_those_of_the_model_alone_are_added() -> None:
    tree, words = tree_of("total.add(1)", "total.sum()")
    own = Judgement((5, 9, 10, 11), (-0.1, -0.2, -0.3, -0.4), -0.5)
    copies = {"total.add(1)": Judgement((5, 9), (-0.1, -2.0)), "total.sum()": Judgement((5, 9), (-0.1, -3.0))}
    joint = joint_words(tree, words, ModelAnswer(("total.top()",), "line", own=own, judged=copies))
    at = by_text(joint)
    assert len(tree.text) < len(joint.tree.text) == len(words) + 4  # top, (, ), and the end
    assert [kinds(joint)[at[text, False]] for text in ("total", "total.add", "total.add(", "total.top")] == [
        Kind.AGREED,
        Kind.COPIED,
        Kind.UNKNOWN,
        Kind.OWN,
    ]
    assert joint.logprob[at["total", False]] == pytest.approx(-0.1)
    assert joint.logprob[at["total.add", False]] + joint.logprob[at["total.", False]] == pytest.approx(-2.0)
    assert joint.tree.option[at["total.top", False]] == OWN
    assert joint.logprob[at["total.top()", True]] == pytest.approx(-0.5)


def test_the_products_of_words_and_tokens_are_the_same_however_tokens_span_words() -> None:
    for ends in ((3, 9), (1, 2, 9), (9,), (4, 5, 6, 7, 8, 9)):
        logprobs = tuple(-0.1 * (n + 1) for n in range(len(ends)))
        answer = ModelAnswer(("call(a,b)",), "line", own=Judgement(ends, logprobs, -1.0))
        joint = joint_words(None, None, answer)
        assert joint.logprob[1:].sum() == pytest.approx(sum(logprobs) - 1.0)


def test_a_line_that_was_cut_off_has_no_end_and_a_silent_server_gives_every_word_the_same() -> None:
    cut = joint_words(None, None, ModelAnswer(("call(a",), "tokens", own=Judgement((4, 5, 6), (-0.1,) * 3, None)))
    assert not any(cut.tree.ends)
    silent = joint_words(None, None, ModelAnswer(("call(a)",), "line"))
    assert silent.logprob[1:].sum() == pytest.approx(-3.0) and silent.tree.ends[-1]
    assert len(joint_words(None, None, ModelAnswer((), "late")).tree.text) == 1


def test_the_shipped_fusion_trusts_what_both_say_more_than_either() -> None:
    shipped = Fusion.load()
    tree, words = tree_of("value = total", "other")
    sure = Judgement((5, 7, 13), (-0.05,) * 3, -0.05)
    agreed = joint_words(tree, words, ModelAnswer(("value = total",), "line", own=sure))
    alone = joint_words(*tree_of("other"), ModelAnswer(("value = total",), "line", own=sure))
    judged = {"value = total": Judgement((5,), (-6.0,))}
    guess = ModelAnswer(("guess",), "line", own=Judgement((5,), (-0.1,), -0.1), judged=judged)
    doubted = joint_words(tree, words, guess)
    first = [shipped.probabilities(joint)[by_text(joint)["value", False]] for joint in (agreed, alone, doubted)]
    assert first[0] > first[1] > first[2]
    assert first[0] > 0.6 > 0.4 > first[2]
    assert 0 < shipped.probabilities(doubted)[by_text(doubted)["other", False]] < 1


def test_a_fusion_is_written_and_read_and_one_of_another_form_is_refused(tmp_path: Path) -> None:
    shipped, file = Fusion.load(), tmp_path / "fusion.json"
    file.write_text(shipped.dumps())
    again = Fusion.load(file)
    assert all(
        math.isclose(one, other, abs_tol=1e-4)
        for kind in Kind
        for one, other in zip(shipped.weights[kind], again.weights[kind], strict=True)
    )
    file.write_text('{"copy": [1, 2, 3]}')
    with pytest.raises(ValueError, match="fit it again with ondol eval --fit-model"):
        Fusion.load(file)
