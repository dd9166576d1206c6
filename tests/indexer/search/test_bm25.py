"""BM25 on disk: committed chunks are found, a clone does not change its source, the order is deterministic."""

import hashlib
import random
from pathlib import Path

import pytest

from indexer.search.bm25 import QUERY_TERMS, Bm25, Bm25Writer


def clone(source: Path, target: Path) -> None:
    """A new directory with hard links to the files of a committed one, as an update makes it."""
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).hardlink_to(path)


def write(directory: Path, documents: dict[str, list[tuple[int, str]]]) -> Path:
    writer = Bm25Writer(directory)
    for doc_key, chunks in documents.items():
        for chunk_key, text in chunks:
            writer.add(doc_key, chunk_key, text)
    writer.commit()
    return directory


def digest(directory: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_ino) for path in directory.iterdir()
    }


DOCUMENTS = {
    "shop/cart.py": [(10, "class cart add item cart"), (11, "def total price tax")],
    "shop/tax.py": [(12, "def tax rate price")],
    "한글/파일.py": [(13, "설정 파일 값")],
}


def test_what_was_committed_is_found(tmp_path: Path) -> None:
    index = Bm25(write(tmp_path / "a", DOCUMENTS))
    assert len(index) == 4
    assert [key for key, _ in index.search(["cart"], 5)] == [10]
    assert [key for key, _ in index.search(["tax", "rate"], 5)] == [12, 11]
    assert [key for key, _ in index.search(["설정"], 5)] == [13]
    scores = [score for _, score in index.search(["tax", "rate", "price"], 5)]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


def test_unknown_terms_no_terms_and_no_limit_find_nothing(tmp_path: Path) -> None:
    index = Bm25(write(tmp_path / "a", DOCUMENTS))
    assert index.search(["nowhere"], 5) == []
    assert index.search([], 5) == []
    assert index.search(["tax"], 0) == []


def test_query_syntax_is_plain_text(tmp_path: Path) -> None:
    index = Bm25(write(tmp_path / "a", {"d": [(1, "alpha AND beta"), (2, "alpha")]}))
    for text in ["alpha AND", "+alpha -beta", '"alpha', "terms:alpha", "*", "[a TO b]", "\x00", "a" * 70_000]:
        assert index.search([text], 5) == []


def test_an_empty_index_can_be_asked(tmp_path: Path) -> None:
    index = Bm25(write(tmp_path / "a", {}))
    assert len(index) == 0
    assert index.search(["cart"], 5) == []


def test_a_clone_is_updated_and_its_source_stays_as_it_was(tmp_path: Path) -> None:
    first = write(tmp_path / "a", DOCUMENTS)
    before = digest(first)
    clone(first, tmp_path / "b")
    writer = Bm25Writer(tmp_path / "b", small=True)
    writer.delete("shop/cart.py")
    writer.add("shop/cart.py", 20, "class cart discount")
    writer.delete("never/there.py")
    writer.commit()
    old, new = Bm25(first), Bm25(tmp_path / "b")
    assert digest(first) == before
    assert [key for key, _ in new.search(["cart", "item", "price"], 9)] == [20, 12]
    assert [key for key, _ in new.search(["discount"], 9)] == [20]
    assert {key for key, _ in old.search(["cart", "item", "price"], 9)} == {10, 11, 12}
    assert len(new) == 3


def test_no_lock_files_are_left(tmp_path: Path) -> None:
    directory = write(tmp_path / "a", DOCUMENTS)
    names = sorted(path.name for path in directory.iterdir())
    Bm25(directory).search(["cart"], 1)
    assert sorted(path.name for path in directory.iterdir()) == names
    assert not [name for name in names if name.endswith(".lock")]


def test_equal_scores_come_in_the_order_of_their_keys(tmp_path: Path) -> None:
    """Also when chunks were added in another order, in several commits."""
    seed = random.randrange(2**32)
    print("seed", seed)
    keys = list(range(300))
    random.Random(seed).shuffle(keys)
    directory = tmp_path / "0"
    write(directory, {f"d{key}": [(key, "same words here")] for key in keys[:150]})
    clone(directory, tmp_path / "1")
    writer = Bm25Writer(tmp_path / "1", small=True)
    for key in keys[150:]:
        writer.add(f"d{key}", key, "same words here")
    writer.commit()
    whole = [key for key, _ in Bm25(tmp_path / "1").search(["same", "words"], 300)]
    assert whole == sorted(keys)


def test_the_rarest_terms_decide(tmp_path: Path) -> None:
    """A query of many common words and one rare one finds the chunk of the rare one first."""
    common = [f"common{number}" for number in range(QUERY_TERMS + 20)]
    documents = {f"d{number}": [(number, " ".join(common))] for number in range(50)}
    documents["rare"] = [(99, "needle")]
    index = Bm25(write(tmp_path / "a", documents))
    assert index.search([*common, "needle"], 3)[0][0] == 99
    assert index.frequency("common1") == 50
    assert index.frequency("needle") == 1


def test_a_path_that_is_not_utf8_can_be_added_and_deleted(tmp_path: Path) -> None:
    name = b"caf\xe9.py".decode("utf-8", "surrogateescape")
    write(tmp_path / "a", {name: [(1, "alpha")]})
    clone(tmp_path / "a", tmp_path / "b")
    writer = Bm25Writer(tmp_path / "b", small=True)
    writer.delete(name)
    writer.commit()
    assert Bm25(tmp_path / "a").search(["alpha"], 1)
    assert Bm25(tmp_path / "b").search(["alpha"], 1) == []


def test_large_chunk_keys(tmp_path: Path) -> None:
    key = 2**62 + 3
    assert Bm25(write(tmp_path / "a", {"d": [(key, "alpha")]})).search(["alpha"], 1)[0][0] == key


def test_a_writer_is_used_up_by_its_commit(tmp_path: Path) -> None:
    writer = Bm25Writer(tmp_path / "a")
    writer.commit()
    with pytest.raises(ValueError, match="committed"):
        writer.add("d", 1, "alpha")


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    directory = write(tmp_path / "a", DOCUMENTS)
    clone(directory, tmp_path / "b")
    writer = Bm25Writer(tmp_path / "b", small=True)
    writer.add("lost", 50, "lost")
    del writer
    assert Bm25(tmp_path / "b").search(["lost"], 1) == []
    assert len(Bm25(tmp_path / "b")) == 4
