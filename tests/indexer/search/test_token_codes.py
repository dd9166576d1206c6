"""Units of tokens against the tokens themselves."""

import random

import numpy as np
import pytest

from indexer.search import suffix_array, suffix_search, token_codes
from indexer.search.token_codes import TokenCodes, is_second
from indexer.text.tokens import END, NEWLINE, Lexed


def drawn() -> tuple[random.Random, np.ndarray, TokenCodes]:
    """Tokens of which some are rare, and the numbers of the others."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    vocabulary = np.array(rng.sample(range(3, 1 << 24), token_codes.FREQUENT + 3_000), np.uint32)
    ids = np.concatenate((vocabulary[:-3_000], vocabulary[:-3_000], vocabulary[-3_000:]))
    ids = ids[np.random.default_rng(seed).permutation(len(ids))]
    return rng, ids, TokenCodes.of(ids)


def test_units_give_back_the_tokens_and_compare_as_their_keys() -> None:
    rng, ids, codes = drawn()
    assert not codes.only_frequent
    keys = codes.keys(ids)
    np.testing.assert_array_equal(keys[:500], codes.keys(ids[:500]))  # with a table of all ids, and without
    units = codes.units(keys)
    assert len(ids) < len(units) < len(ids) + 3_100
    np.testing.assert_array_equal(codes.tokens(units), ids)
    coded = [(codes.code(ids[i : i + 3].tolist()).data, keys[i : i + 3].tolist()) for i in range(0, 3_000, 3)]
    assert [key for _, key in sorted(coded)] == sorted(key for _, key in coded)
    for _ in range(300):
        first = rng.randrange(len(units) - 40)
        part = units[first : first + 40]
        inside = codes.tokens(part)
        start = int(np.searchsorted(np.cumsum(1 + (keys >= token_codes.FREQUENT)), first, side="right"))
        start += bool(part[0] >= token_codes.FREQUENT and not is_second(part[:1])[0])  # begins within a token
        np.testing.assert_array_equal(inside, ids[start : start + len(inside)])


def test_a_context_says_how_many_tokens_its_bytes_hold() -> None:
    _, ids, codes = drawn()
    rare = ids[codes.keys(ids) >= token_codes.FREQUENT][0]
    frequent = ids[codes.keys(ids) < token_codes.FREQUENT][0]
    coded = codes.code([frequent, rare, frequent])
    assert coded.ends == (0, 2, 6, 8)
    assert [coded.whole(size) for size in range(9)] == [0, 0, 1, 1, 1, 1, 2, 2, 3]
    assert coded.first(2) == coded.data[:6]
    units, ends = codes.ahead([frequent, rare, frequent])
    assert ends == [1, 3, 4]
    assert units == np.frombuffer(coded.data, ">u2")[::-1].tolist()
    assert codes.code([]).ends == (0,)
    assert codes.ahead([]) == ([], [])


def test_a_segment_with_rare_tokens_answers_as_one_that_numbers_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The places are others, but tokens, lines, agreements and what follows are the same."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    vocabulary = [2 * rng.randrange(2, 1 << 23) + 1 for _ in range(40)]
    documents = [_lexed(rng, vocabulary) for _ in range(5)]
    plain = suffix_array.build_suffixes(documents)
    whole = suffix_array.SuffixIndex(plain)
    monkeypatch.setattr(TokenCodes, "of", lambda ids: _few(ids))
    coded = suffix_array.build_suffixes(documents)
    parts = suffix_array.SuffixIndex(coded)
    parts._codes.only_frequent = False
    assert parts.size > whole.size
    for one, other in zip(parts.lexed(), whole.lexed(), strict=True):
        for name in ("ids", "counts", "indents"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    ids, places = whole.run(0, whole.size)
    found, others = parts.run(0, parts.size)
    np.testing.assert_array_equal(ids, found)
    to = dict(zip(places.tolist(), others.tolist(), strict=True))
    real = [place for place, token in zip(places.tolist(), ids.tolist(), strict=True) if token != END]
    here, there = np.array(real, np.uint32), np.array([to[place] for place in real], np.uint32)
    for mine, theirs in zip(whole.locate(here), parts.locate(there), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(whole.around(here, 7, 9), parts.around(there, 7, 9))
    np.testing.assert_array_equal(whole.next_token(here), parts.next_token(there))
    for place in rng.sample(real, 20):
        assert to[whole.back(0, place, 5)] == parts.back(0, to[place], 5)
    for _ in range(200):
        place = rng.randrange(20, len(ids))
        context = ids[max(0, place - rng.randrange(1, 40)) : place].tolist()
        if END in context:
            continue
        wanted = np.unique(rng.choices(vocabulary, k=5)).astype(np.uint32) if rng.random() < 0.5 else None
        one, other = (suffix_search.find(index, context, 10_000, wanted) for index in (whole, parts))
        assert sorted(zip([to[p] for p in one.positions.tolist()], one.lengths.tolist(), strict=True)) == sorted(
            zip(other.positions.tolist(), other.lengths.tolist(), strict=True)
        )
        tail = ids[place : place + 3].tolist()
        first = whole.next_token(here) == tail[0]
        mine, theirs = whole.followed_by(here[first], tail, 1), parts.followed_by(there[first], tail, 1)
        assert [to[p] for p in mine.tolist()] == theirs.tolist()
        np.testing.assert_array_equal(theirs, parts.followed_by(there, tail))


def _few(ids: np.ndarray) -> TokenCodes:
    """Codes that number every third id only."""
    codes = TokenCodes(np.unique(np.append(ids, END))[::3].astype("<u4"))
    codes.only_frequent = False
    return codes


def _lexed(rng: random.Random, vocabulary: list[int]) -> Lexed:
    ids: list[int] = []
    counts = []
    for _ in range(rng.randrange(1, 25)):  # few enough that no scan leaves anchors out
        line = rng.choices([*vocabulary, 40, 50, 60], k=rng.choice((0, 1, 3, 8, 90)))
        counts.append(len(line) + 1 if line else 0)
        ids += [*line, NEWLINE] if line else []
    indents = np.array(rng.choices(range(0, 9, 4), k=len(counts)), np.uint8)
    return Lexed(np.array(ids, np.uint32), np.array(counts, np.uint16), indents)
