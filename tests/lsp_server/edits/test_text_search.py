"""Tests for lines by the words in them, found in a text as they are asked for."""

import random
import re

from lsp_server.edits.line_index import LineIndex
from lsp_server.edits.text_search import TextSearch

WORDS = ("count", "counter", "count_all", "_count", "값", "값_이름", "x", "x1", "x20", "1", "20", "é", "self")
SIGNS = ("(", ")", ".", " ", "  ", "=", ", ", "->", "::")


def test_a_text_answers_what_an_index_of_its_lines_answers() -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(60):
        lines = [
            "".join(draw.choice(WORDS + SIGNS) for _ in range(draw.randrange(9))) for _ in range(draw.randrange(1, 40))
        ]
        index, text = LineIndex(), TextSearch()
        index.update(lines)
        text.update(lines)
        known = sorted({word for line in lines for word in re.findall(r"\w+", line)})
        for word in (*WORDS, *known):
            assert text.knows(word) == index.knows(word), word
            assert text.with_part(word) == index.with_part(word), word
            several = {word, *draw.sample(known, min(len(known), draw.randrange(3)))}
            assert text.holding(several) == sorted(index.holding(several)), several
        assert [text.times(line) for line in lines] == [index.times(line) for line in lines]
        assert text.times("no such line") == 0


def test_a_text_without_the_words_has_no_lines() -> None:
    text = TextSearch()
    text.update([""])
    assert text.holding(["a", "b"]) == []
    assert text.with_part("a") == []
