"""Blocks that were moved: git's rule, and no time lost on braces."""

import pytest

from finetune.commits.moved_lines import MovedLines

CALL = "warehouse.count(limit=3)"


@pytest.mark.parametrize(
    ("gone", "added", "moved"),
    [
        ([[CALL]], ["    " + CALL], [True]),
        ([["else:", "pass"]], ["else:", "pass"], [False, False]),
        ([["else:", "", CALL]], ["else:", CALL, "x = 1"], [True, True, False]),
        ([["else:"], [CALL]], ["else:", CALL], [False, True]),
        ([[CALL, "a = 1"], [CALL, "b = 2"]], [CALL, "b = 2", "", "a = 1"], [True, True, False, False]),
        ([], [CALL], [False]),
    ],
)
def test_blocks_of_twenty_letters_are_moved(gone, added, moved):
    assert MovedLines(gone).moved(added) == moved


def test_thousands_of_braces_are_no_trouble():
    run = [line for n in range(20_000) for line in (f"call_with_a_name_{n}(x);", "}")]
    moves = MovedLines([run, ["}"] * 20_000])
    assert all(moves.moved(run))
    assert not any(moves.moved(["}", "new"] * 20_000))
