"""A long session holds as much memory as a short one: what is kept of lines is bounded, and is full early."""

import gc
import random
import sys
from collections.abc import Callable

import pytest

from lsp_server.edits import lessons, token_lines
from lsp_server.edits.line_index import LineIndex
from lsp_server.fitting import line_marks
from lsp_server.fitting.marks import rules_of

pytestmark = pytest.mark.slow

ROUND = 4_500
"""Lines of a round, more than any cache of lines keeps."""


def blocks_after(work: Callable[[], None]) -> int:
    """Return how many blocks of memory the interpreter holds when some work is done."""
    work()
    gc.collect()
    return sys.getallocatedblocks()


def lines(chance: random.Random) -> list[str]:
    """Lines of which each has names of its own."""
    return [f"    total_{chance.random()} = weigh(keeper_{chance.random()}, [amount, {n}])" for n in range(ROUND)]


def test_lines_of_hours_take_no_more_memory_than_those_of_the_first_half_hour() -> None:
    chance, rules = random.Random(3), rules_of("python")

    def read() -> None:
        for line in lines(chance):
            line_marks.lexed(rules, line)
            parsed = token_lines.parse(line)
            assert parsed.places and parsed.kinds and parsed.words

    first = blocks_after(read)
    later = blocks_after(lambda: [read() for _ in range(2)] and None)
    assert later - first < ROUND, (first, later)  # two rounds more would hold 40 blocks for each line


def test_what_edits_make_of_other_lines_is_bounded_for_all_of_them_together() -> None:
    chance = random.Random(4)
    taught = [lessons.lesson(f"weigh(amount, {n})", f"weigh(amount, keeper, {n})") for n in range(100)]

    def search() -> None:
        for number in range(340):
            line = f"weigh(amount, {chance.random()}, {number})"
            for lesson in taught:
                lesson.effects(line)

    first = blocks_after(search)
    later = blocks_after(search)
    assert later - first < 4_000, (first, later)  # a round more would hold ten blocks for each of 34,000 effects


def test_a_word_that_is_typed_key_by_key_leaves_none_of_its_beginnings() -> None:
    index, word = LineIndex(), "quartz_ledger_keeper"
    for length in range(1, len(word) + 1):
        index.update(["begin", word[:length]])
    assert index.knows(word) and not any(index.knows(word[:length]) for length in range(1, len(word)))
    assert index.with_part("quartz") == [1]
    index.update(["begin"])
    assert index.with_part("quartz") == [] and not index.knows(word)
    assert not index._holding.keys() - {"begin"}
