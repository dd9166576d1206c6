"""The token suffix index against a search over every position."""

import random

import numpy as np
import pytest

from indexer.search import suffix_array, suffix_search
from indexer.text.lines import lines_of
from indexer.text.tokens import BLANK_LINE, END, NEWLINE, WORD, lex, token_ids


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


def search(
    index: suffix_array.SuffixIndex,
    context: list[int],
    limit: int,
    wanted: np.ndarray | None,
    scan_limit: int = suffix_search.SCAN_LIMIT,
    kept: suffix_search.AgreementsKept | None = None,
) -> suffix_search.Search:
    words = wanted is not None and bool((wanted & WORD).all())
    anchored = suffix_search.Anchored.of(context, word_follows=words)
    agreements = (kept or suffix_search.AgreementsKept()).of(id(index), index, anchored.query)
    return suffix_search.Search(agreements, anchored, limit, wanted, scan_limit)


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
        found = suffix_search.find(index, context, 10_000)
        lengths = dict(zip(found.positions.tolist(), found.lengths.tolist(), strict=True))
        assert len(lengths) == len(found.positions), "no place twice"
        for position, length in lengths.items():
            assert agreement(ids, position, context) >= length
        # Only what stands behind an anchor is in the order: a context too short to show that it is prose finds less.
        behind = suffix_search._tokens_behind_anchor(context)
        anchored = (p for p in range(max(1, behind), len(ids)) if anchors[p - behind])
        best = max((length for p in anchored if (length := agreement(ids, p, context)) >= max(1, behind)), default=0)
        assert max(lengths.values(), default=0) == min(best, suffix_array.DEPTH)
        wanted = np.array(sorted(rng.sample(range(2**24), 5) + ids[rng.choices(range(len(ids)), k=3)].tolist()))
        if (wanted & WORD).all() and not suffix_search._words_before(context, len(context)):
            before_words = (p for p in range(1, len(ids)) if anchors[p] and ids[p] in wanted)
            goes_on = {p: length for p in before_words if (length := agreement(ids, p, context))}
        else:
            goes_on = {position: length for position, length in lengths.items() if ids[position] in wanted}
        few = suffix_search.find(index, context, 3, wanted.astype(np.uint32))
        assert sorted(few.lengths.tolist()) == sorted(sorted(goes_on.values())[-3:])
        assert all(goes_on[position] == length for position, length in zip(few.positions, few.lengths, strict=True))


def test_a_limit_keeps_the_longest_and_says_how_many_there_were() -> None:
    texts = ["a = f ( x )\n" * 30 + "b = g ( a = f (\n"]
    found = suffix_search.find(open_index(texts), token_ids("a = f ("), 5)
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
    assert index.run(low, high)[0].tolist() == [*token_ids("first line here"), NEWLINE]
    assert index.around(np.array([low], np.uint32), 2, 2).tolist() == [[END, END, *token_ids("first line")]]


@pytest.mark.parametrize("texts", [[], [""], ["\n"], ["x"]])
def test_small_and_empty_documents_make_an_index(texts: list[str]) -> None:
    index = open_index(texts)
    assert len(suffix_search.find(index, token_ids("x ="), 10).positions) == 0


def test_the_same_documents_give_the_same_bytes() -> None:
    rng = random.Random(3)
    documents = [lex(random_code(rng, 40)) for _ in range(3)]
    assert suffix_array.build_suffixes(documents) == suffix_array.build_suffixes(documents)


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
def test_suffixes_are_sorted_by_their_first_tokens_however_many_at_once(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(suffix_array, "SORTED_AT_ONCE", at_once)
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for size in (1, 2, 3, 90, 400):
        ids = [rng.randint(1, rng.choice((1, 2, 40))) for _ in range(size)]
        order = suffix_array._sort(np.array(ids, np.uint32))
        assert order.tolist() == sorted(range(size), key=lambda place: ids[place : place + suffix_array.DEPTH])


def test_the_inside_of_prose_is_left_out_and_its_line_starts_are_not() -> None:
    text = "one two three four five six seven\n" * 3
    index = open_index([text])
    assert suffix_search.find(index, token_ids("\n"), 99).positions.tolist() == [8, 16]
    assert not len(suffix_search.find(index, token_ids("three four five six"), 99).positions)


def test_many_segments_together_give_the_longest_that_each_gives_alone() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    groups = [[random_code(rng, 60) for _ in range(rng.randrange(1, 4))] for _ in range(5)]
    indexes, ids = [open_index(texts) for texts in groups], stream(groups[0])
    saved = 0
    for _ in range(200):
        place = rng.randrange(40, len(ids))
        context = ids[place - rng.randrange(3, 30) : place].tolist()
        wanted = np.unique(rng.choices(ids.tolist(), k=6)).astype(np.uint32) if rng.random() < 0.5 else None
        limit = rng.choice((1, 5, 40, 10_000))
        alone = [suffix_search.find(index, context, limit, wanted) for index in indexes]
        searches = [search(index, context, limit, wanted) for index in indexes]
        suffix_search.widen_longest_first(searches, limit)
        lengths = np.concatenate([one.lengths for one in alone])
        # The least length of which any place is kept.
        least = next((one for one in sorted(set(lengths.tolist())) if (lengths > one).sum() < limit), 0)
        for several, one in zip(searches, alone, strict=True):
            found, kept = several.matches(), one.lengths >= least
            assert found.positions.tolist() == one.positions[kept].tolist()
            assert found.lengths.tolist() == one.lengths[kept].tolist()
            assert found.populations.tolist() == one.populations[kept].tolist()
            saved += len(one.lengths) - len(found.lengths)
    assert saved > 0


def test_places_in_many_lines_are_located() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    texts = [random_code(rng, rng.choice((1, 63, 64, 65, 300))) for _ in range(6)]
    index = open_index(texts)
    expected = [
        (number, line, token)
        for number, text in enumerate(texts)
        for line, count in enumerate(lex(text).counts.tolist())
        for token in range(count)
    ]
    ids = stream(texts)
    positions = np.flatnonzero(ids != END).astype(np.uint32)
    found = np.stack(index.locate(positions), axis=1).tolist()
    assert [tuple(row) for row in found] == expected
    for _ in range(50):
        document = rng.randrange(len(texts))
        first = rng.randrange(len(lines_of(texts[document])))
        low, high = index.line_range(document, first, first + 1)
        here = [place for place, row in enumerate(expected) if row[:2] == (document, first)]
        assert index.run(low, high)[0].tolist() == ids[positions[here]].tolist()


def test_a_scan_of_fewer_anchors_says_so() -> None:
    index = open_index(["a = f ( x )\n" * 300])
    context, wanted = token_ids("a = f ("), np.array(token_ids("x"), np.uint32)
    whole = search(index, context, 5, wanted)
    part = search(index, context, 5, wanted, scan_limit=50)
    for one in (whole, part):
        one.widen()
    assert (whole.thinned, part.thinned) == (False, True)
    assert 0 < part.found[0][2] <= 51 < whole.found[0][2]


def test_what_was_found_for_one_key_gives_the_next_key_the_same_as_a_search_of_its_own() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    texts = [random_code(rng, 80) for _ in range(4)]
    index, ids = open_index(texts), stream(texts)
    kept = suffix_search.AgreementsKept()
    words = np.unique(ids[(ids & WORD) == WORD])
    for _ in range(60):
        place = rng.randrange(60, len(ids) - 12)
        for end in range(place, place + 12):
            context = ids[end - 40 : end].tolist()
            for wanted in (None, words, words[: rng.randrange(1, len(words) + 1)]):
                limit = rng.choice((3, 20, 10_000))
                alone = suffix_search.find(index, context, limit, wanted)
                shared = search(index, context, limit, wanted, kept=kept)
                while shared.length:
                    shared.widen()
                for name in ("positions", "lengths", "populations"):
                    assert getattr(alone, name).tolist() == getattr(shared.matches(), name).tolist()


def test_places_before_a_word_outside_prose_are_found_without_a_scan() -> None:
    texts = [f"x = self.name{n % 7} + other{n}\n" for n in range(3_000)]
    index = open_index(["".join(texts)])
    wanted = np.array(token_ids("name3"), np.uint32)
    rare = search(index, token_ids("y = self ."), 500, wanted, scan_limit=10_000)
    while rare.length:
        rare.widen()
    assert len(rare.matches().positions) == len([n for n in range(3_000) if n % 7 == 3])
    assert not rare.thinned


def test_of_equal_agreements_the_first_segments_come_first_and_the_rest_is_left_out_when_enough_was_compared() -> None:
    indexes = [open_index([f"x = self.name{n % 7} + other{n}\n" for n in range(200)]) for _ in range(30)]
    context, wanted = token_ids("y = self ."), np.array(sorted(token_ids("name1 name2 name3")), np.uint32)
    searches = [search(index, context, 5_000, wanted) for index in indexes]
    suffix_search.widen_longest_first(searches, 5_000, places=1_000)
    sizes = [len(one.matches().positions) for one in searches]
    assert all(sizes[:5]) and not any(sizes[6:])
    assert any(one.thinned for one in searches)


def test_positions_that_need_four_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment of more than 16 million tokens: the same places, one byte more for each."""
    texts = [random_code(random.Random(number), 40) for number in range(3)]
    short = open_index(texts)
    monkeypatch.setattr(suffix_array, "SHORT", 10)
    long = open_index(texts)
    rows = np.arange(short.rows)
    np.testing.assert_array_equal(long.positions(rows), short.positions(rows))
    for text in texts:
        context = token_ids(text)[:20]
        one, other = suffix_search.find(short, context, 50), suffix_search.find(long, context, 50)
        assert len(one.positions)
        np.testing.assert_array_equal(one.positions, other.positions)
