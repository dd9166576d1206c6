"""The words of a segment: found by their beginnings, kept through updates and compaction, gone with their documents."""

import random
from pathlib import Path

import pytest

from indexer.search.word_prefixes import Words, build_words, words_of
from indexer.storage import compaction, expiry
from indexer.storage.reader import Index
from indexer.text.tokens import TOKEN, token_id
from tests.support import indexes, repositories

TEXT = "def read_lines(path):\n    läse = path.read_line2(0x1f)\n    return läse, 한글_이름, _x, 3.5, read\n"


def beginning(words: Words, letters: str) -> set[int]:
    return set(words.beginning(letters).tolist())


def test_words_that_begin_with_letters_are_found_and_the_letters_themselves_are_not() -> None:
    words = Words(build_words(words_of(TOKEN.findall(text)) for text in (TEXT, "reader = 2")))
    assert beginning(words, "read_") == {token_id("read_lines"), token_id("read_line2")}
    assert beginning(words, "read") == {token_id(word) for word in ("read_lines", "read_line2", "reader")}
    assert beginning(words, "한") == {token_id("한글_이름")}
    assert beginning(words, "lä") == {token_id("läse")}
    assert beginning(words, "x1") == beginning(words, "3") == beginning(words, "zz") == set()
    assert beginning(Words(build_words([""])), "a") == set()


def test_any_prefix_finds_the_same_words_as_a_scan() -> None:
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    letters = "ab_é한𝒳\ud800"
    texts = [
        " ".join("".join(rng.choices(letters, k=rng.randrange(1, 5))) for _ in range(rng.randrange(40)))
        for _ in range(5)
    ]
    every = {token for text in texts for token in TOKEN.findall(text) if token[0].isalpha() or token[0] == "_"}
    words = Words(build_words(words_of(TOKEN.findall(text)) for text in texts))
    for start in {word[:length] for word in every for length in (1, 2, 3)} | {"zz"}:
        expected = {token_id(word) for word in every if word.startswith(start) and word != start}
        assert beginning(words, start) == expected, (seed, start)


def test_a_segment_knows_the_words_of_new_files_and_forgets_those_of_removed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, data = tmp_path / "repo", tmp_path / "data"
    repositories.repository(root)
    numbers = range(compaction.MANY_SMALL + 2)
    for number in numbers:
        repositories.write(root, {f"more{number}.py": f"def uncommon_{number}(value):\n    return value\n"})
        index = indexes.updated(root, data)
    assert len(index.segments) <= compaction.MANY_SMALL
    assert found(index, "uncommon_") == {token_id(f"uncommon_{number}") for number in numbers}
    (root / "more0.py").unlink()
    monkeypatch.setattr(expiry, "DEAD_SECONDS", -1)
    index = indexes.updated(root, data)
    assert found(index, "uncommon_") == {token_id(f"uncommon_{number}") for number in numbers if number}


def found(index: Index, letters: str) -> set[int]:
    return set().union(*(beginning(segment.words, letters) for segment in index.segments.values()))
