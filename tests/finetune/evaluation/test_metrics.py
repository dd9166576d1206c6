"""Scores of single answers, intervals, calibration: against slow references and by hand."""

import random

import numpy as np
import pytest

from finetune.commits.cases import Case
from finetune.evaluation.intervals import Bootstrap, calibration, trade_off, wilson
from finetune.evaluation.metrics import Answers, directory_of, identifiers, overlap, score, similarity
from lsp_server.types import Answer, Suggestion


def slow_distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def test_edit_similarity_is_that_of_the_slow_algorithm():
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(400):
        one, other = ("".join(rng.choice("ab왜𝄞\ud800 ") for _ in range(rng.randrange(90))) for _ in range(2))
        longer = max(len(one), len(other), 1)
        assert similarity(one, other) == pytest.approx(1 - slow_distance(one, other) / longer), (one, other)
    assert similarity("", "abc") == similarity("abc", "") == 0
    assert similarity("", "") == 1
    assert similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('return self.name + "not a name"', ["name"]),
        ("for (auto it = xs.begin(); it != end;)", ["auto", "it", "xs", "it"]),
        ("logic [3:0] data_q;", ["data_q"]),
        ("재고 = 창고.합계('안 셈')", ["재고", "창고", "합계"]),
        ("))", []),
    ],
)
def test_identifiers_are_names_without_keywords_and_strings(text, names):
    assert identifiers(text) == names


def test_overlap_of_names_is_f1_of_bags():
    assert overlap(["a", "a", "b"], ["a", "b", "c"]) == pytest.approx(2 * 2 / 6)
    assert overlap([], []) == 1
    assert overlap([], ["a"]) == 0


@pytest.mark.parametrize(("path", "directory"), [("a.py", "."), ("src/a.py", "src"), ("a/b/c/d.py", "a/b")])
def test_directories_are_the_first_two_parts(path, directory):
    assert directory_of(path) == directory


TEXT = "def f():\n    total = 0\n    ret"
CASE = Case("c0ffee", "src/a.py", "inside", 2, TEXT + "\n\ndef g():\n", len(TEXT), "urn total", ("", "x = 1  "), False)


def answered(*texts: str, probability: float = 0.5) -> Answer:
    made = tuple(Suggestion(text, CASE.offset, CASE.offset, probability, "retrieval") for text in texts)
    return Answer(made, "shown" if made else "gate")


def check(invoked: Answer, automatic: Answer, **expected: object) -> None:
    scored = score("retrieval", 0, CASE, False, Answers(invoked, automatic, 1.0, 1.0))
    assert {key: getattr(scored, key) for key in expected} == expected


def test_a_right_suggestion_saves_all_but_a_key_press():
    one = answered("urn total")
    check(one, one, exact=True, among=True, similarity=1.0, names_exact=True, right=True, whole=True, saved=8, lines=0)


def test_blanks_at_the_end_do_not_matter():
    check(answered("urn total  "), answered(), exact=True, shown="", right=False, saved=0, reason="gate")


def test_a_wrong_suggestion_with_a_right_first_token_is_of_some_use():
    one = answered("urn other")
    check(one, one, exact=False, right=False, usable=True, names_exact=False, names_f1=0.0, saved=0)
    check(answered(), answered("ry:"), exact=False, right=False, usable=False)


def test_the_second_of_three_counts_as_among():
    check(answered("ry:", "urn total"), answered(), exact=False, among=True)


def test_later_lines_are_compared_with_what_the_author_added():
    check(
        answered("urn total\n\nx = 1"),
        answered("urn total\n\nx = 1"),
        lines=2,
        lines_right=2,
        whole=True,
        saved_below=5,
    )
    check(
        answered("urn total\n\nx = 2"), answered("urn total\n\nx = 2"), lines=2, lines_right=1, right=True, whole=False
    )
    check(answered("urn total\n\nx = 1\nmore"), answered(), lines=3, lines_right=2, exact=True)


def test_what_an_answer_replaces_is_taken_into_account():
    start = CASE.offset - 3
    whole = Answer((Suggestion("return total", start, CASE.offset, 0.5, "retrieval"),), "shown")
    check(whole, whole, best="urn total", exact=True)


def test_wilsons_interval_is_the_published_one():
    low, high = wilson(10, 20)
    assert (round(low, 4), round(high, 4)) == (0.2993, 0.7007)
    assert wilson(0, 5)[0] == 0


def test_one_file_says_little_and_the_interval_says_so():
    right = np.array([1.0, 1.0, 0.0, 1.0])
    estimate = Bootstrap(["a"] * 4, 1).ratio(right, np.ones(4), share=True)
    assert estimate.value == 0.75
    assert (estimate.low, estimate.high) == pytest.approx(wilson(3, 4))


def test_differences_are_paired_by_file():
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = np.random.default_rng(seed)
    files = [f"f{n // 10}" for n in range(400)]
    ease = np.repeat(rng.random(40), 10)
    one = (rng.random(400) < ease).astype(float)
    better = np.maximum(one, rng.random(400) < 0.1)
    draws = Bootstrap(files, seed)
    ones = np.ones(400)
    assert draws.difference((one, ones), (one, ones)).as_dict() == {"value": 0, "low": 0, "high": 0, "count": 400}
    change = draws.difference((one, ones), (better, ones))
    alone = draws.ratio(one, ones)
    assert change.low > 0, change
    assert change.high - change.low < alone.high - alone.low


def test_nothing_counted_gives_no_figure():
    estimate = Bootstrap(["a", "b"], 1).ratio(np.zeros(2), np.zeros(2))
    assert estimate.as_dict() == {"value": None, "low": None, "high": None, "count": 0}


def test_calibration_error_of_an_honest_and_of_a_boasting_gate():
    said = np.array([0.2] * 10 + [0.8] * 10)
    happened = np.array([1] * 2 + [0] * 8 + [1] * 8 + [0] * 2, dtype=bool)
    assert calibration(said, happened)[0] == pytest.approx(0)
    assert calibration(np.full(20, 0.95), happened)[0] == pytest.approx(0.45)
    assert calibration(np.zeros(0), np.zeros(0, bool)) == (0.0, [])


def test_the_trade_off_shows_the_surest_first():
    curve = trade_off(np.array([0.1, 0.9, 0.5]), np.array([False, True, False]), cases=6)
    assert curve == [(1 / 6, 1.0), (2 / 6, 0.5), (3 / 6, pytest.approx(1 / 3))]
