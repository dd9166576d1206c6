"""The token suffix index against a search over every position."""

import random

import numpy as np
import pytest

from indexer.search import suffix_array
from indexer.text.lines import lines_of
from indexer.text.tokens import BLANK_LINE, END, NEWLINE, lex, token_ids


def open_index(texts: list[str]) -> suffix_array.SuffixIndex:
    files = suffix_array.build_suffixes([lex(text) for text in texts])
    assert tuple(files) == suffix_array.FILES
    return suffix_array.SuffixIndex({name: memoryview(data) for name, data in files.items()})


def stream(texts: list[str]) -> np.ndarray:
    return np.concatenate([np.append(lex(text).ids, END) for text in texts])


def random_code(rng: random.Random, lines: int) -> str:
    words = ["self", "value", "x", "y", "data", "if", "return"]
    made = []
    for _ in range(lines):
        indent = " " * rng.choice((0, 4, 8))
        parts = rng.choices([*words, "(", ")", ".", "=", ",", '"'], k=rng.randrange(0, 9))
        made.append(indent + " ".join(parts))
    return "\n".join(made) + "\n"


def agreement(ids: np.ndarray, place: int, context: list[int]) -> int:
    length = 0
    while length < min(len(context), place, suffix_array.DEPTH) and ids[place - 1 - length] == context[-1 - length]:
        length += 1
    return length


def test_the_longest_agreements_are_found_first_wherever_they_stand() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    texts = [random_code(rng, 60) for _ in range(4)]
    index, ids = open_index(texts), stream(texts)
    anchors = suffix_array._anchors(ids)
    for _ in range(150):
        place = rng.randrange(40, len(ids))
        context = ids[place - rng.randrange(3, 30) : place].tolist()
        if END in context:
            continue
        found = index.find(context, 10_000)
        lengths = dict(zip(found.positions.tolist(), found.lengths.tolist(), strict=True))
        assert len(lengths) == len(found.positions), "no place twice"
        for position, length in lengths.items():
            assert agreement(ids, position, context) >= length
        # Only what stands behind an anchor is in the order: a context too short to show that it is prose finds less.
        behind = suffix_array._tokens_behind_anchor(context)
        anchored = (p for p in range(max(1, behind), len(ids)) if anchors[p - behind])
        best = max((length for p in anchored if (length := agreement(ids, p, context)) >= max(1, behind)), default=0)
        assert max(lengths.values(), default=0) == min(best, suffix_array.DEPTH)
        wanted = np.array(sorted(rng.sample(range(2**24), 5) + ids[rng.choices(range(len(ids)), k=3)].tolist()))
        goes_on = {position: length for position, length in lengths.items() if ids[position] in wanted}
        few = index.find(context, 3, wanted.astype(np.uint32))
        assert sorted(few.lengths.tolist()) == sorted(sorted(goes_on.values())[-3:])
        assert all(goes_on[position] == length for position, length in zip(few.positions, few.lengths, strict=True))


def test_a_limit_keeps_the_longest_and_says_how_many_there_were() -> None:
    texts = ["a = f ( x )\n" * 30 + "b = g ( a = f (\n"]
    found = open_index(texts).find(token_ids("a = f ("), 5)
    assert len(found.positions) == 5
    assert found.populations[-1] >= 25
    assert (np.diff(found.lengths.astype(int)) <= 0).all()


def test_positions_are_located_in_documents_lines_and_tokens() -> None:
    texts = ["\n\nfirst line here\n\n  second = 2\n", "other\n", "\n"]
    index, ids = open_index(texts), stream(texts)
    for position in range(len(ids)):
        if ids[position] == END:
            continue
        document, line, token = (int(x[0]) for x in index.locate(np.array([position], np.uint32)))
        assert [*token_ids(lines_of(texts[document])[line]), NEWLINE][token] == ids[position]
    assert index.indent(np.array([0, 0, 0, 1]), np.array([4, 3, 99, -1])).tolist() == [
        2,
        BLANK_LINE,
        BLANK_LINE,
        BLANK_LINE,
    ]
    low, high = index.line_range(0, 2, 3)
    assert index.run(low, high).tolist() == [*token_ids("first line here"), NEWLINE]
    assert index.tokens_before(np.array([low], np.uint32), 2).tolist() == [[END, END]]


@pytest.mark.parametrize("texts", [[], [""], ["\n"], ["x"]])
def test_small_and_empty_documents_make_an_index(texts: list[str]) -> None:
    index = open_index(texts)
    assert len(index.find(token_ids("x ="), 10).positions) == 0


def test_the_same_documents_give_the_same_bytes() -> None:
    rng = random.Random(3)
    documents = [lex(random_code(rng, 40)) for _ in range(3)]
    assert suffix_array.build_suffixes(documents) == suffix_array.build_suffixes(documents)


def test_the_inside_of_prose_is_left_out_and_its_line_starts_are_not() -> None:
    text = "one two three four five six seven\n" * 3
    index = open_index([text])
    assert index.find(token_ids("\n"), 99).positions.tolist() == [8, 16]
    assert not len(index.find(token_ids("three four five six"), 99).positions)
