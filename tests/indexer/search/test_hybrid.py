"""Hybrid search over a small index in memory: fusion, exclusions, nearness, ties."""

from pathlib import Path

import numpy as np
import pytest

from indexer.languages.grammars import language_of
from indexer.search.bm25 import Bm25, Bm25Writer
from indexer.search.embedding import Encoder
from indexer.search.hybrid import fuse, search
from indexer.search.vectors import Vectors, build_vectors
from indexer.text.terms import terms
from indexer.types import Chunk


class Small:
    """The least that search needs: chunks in a list, their keys ten times their place."""

    def __init__(self, directory: Path, chunks: list[Chunk], *, with_vectors: bool = True) -> None:
        self.chunks = chunks
        self.asked: list[int] = []
        writer = Bm25Writer(directory)
        for number, chunk in enumerate(chunks):
            writer.add(chunk.path, number * 10, " ".join(terms(chunk.header + "\n" + chunk.text)))
        writer.commit()
        self._bm25 = Bm25(directory)
        self.encoder = Encoder.load() if with_vectors else None
        if self.encoder is not None:
            rows = self.encoder.encode([chunk.header + "\n" + chunk.text for chunk in chunks])
            self._vectors = Vectors.load(build_vectors(rows))

    def bm25_search(self, terms: list[str], limit: int) -> list[tuple[int, float]]:
        self.asked.append(limit)
        return self._bm25.search(terms, limit)

    def vector_search(self, vector: np.ndarray, limit: int) -> list[tuple[int, float]]:
        ids, scores = self._vectors.search(vector, limit)
        return [(int(number) * 10, float(score)) for number, score in zip(ids, scores, strict=True)]

    def chunk(self, chunk_key: int) -> Chunk:
        return self.chunks[chunk_key // 10]


def chunk_of(path: str, line: int, text: str, header: str | None = None) -> Chunk:
    return Chunk(path, language_of(path), line, line + text.count("\n") + 1, path if header is None else header, text)


CHUNKS = [
    chunk_of("shop/cart.py", 0, "class Cart:\n    def add_item(self, item):\n        self.items.append(item)"),
    chunk_of("shop/cart.py", 20, "    def total(self):\n        return sum(item.price for item in self.items)"),
    chunk_of("shop/cart.py", 40, "    def remove_item(self, item):\n        self.items.remove(item)"),
    chunk_of("shop/tax.py", 0, "def tax(price, rate):\n    return price * rate"),
    chunk_of(
        "rtl/fifo.sv", 0, "module fifo (input logic clk, output logic full);\n  // 큐가 가득 차면 멈춘다\nendmodule"
    ),
    chunk_of("web/cart.ts", 0, "export class Cart { addItem(item: Item) { this.items.push(item); } }"),
]


@pytest.fixture
def index(tmp_path: Path) -> Small:
    return Small(tmp_path / "bm25", CHUNKS)


def places(hits: list) -> list[tuple[str, int]]:
    return [(hit.chunk.path, hit.chunk.start_line) for hit in hits]


def test_both_retrievers_add_to_the_score(index: Small) -> None:
    hits = search(index, "add_item(item)", 3)
    assert places(hits)[0] == ("shop/cart.py", 0)
    assert set(hits[0].parts) == {"bm25", "vector"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_korean_comment_is_found(index: Small) -> None:
    assert places(search(index, "가득 찬 큐", 1)) == [("rtl/fifo.sv", 0)]


def test_the_file_being_edited_is_left_out(index: Small) -> None:
    hits = search(index, "self.items.append(item)", 5, exclude_path="shop/cart.py")
    assert hits
    assert "shop/cart.py" not in {hit.chunk.path for hit in hits}


def test_at_most_two_hits_of_a_file_by_default(index: Small) -> None:
    paths = [hit.chunk.path for hit in search(index, "def item self items", 6)]
    assert paths.count("shop/cart.py") == 2
    paths = [hit.chunk.path for hit in search(index, "def item self items", 6, per_file=None)]
    assert paths.count("shop/cart.py") == 3


def test_without_vectors_bm25_answers_alone(tmp_path: Path) -> None:
    hits = search(Small(tmp_path / "bm25", CHUNKS, with_vectors=False), "tax rate", 3)
    assert places(hits) == [("shop/tax.py", 0)]
    assert set(hits[0].parts) == {"bm25"}


@pytest.mark.parametrize("text", ["", " \n\t", "()+-", "\x00"])
def test_a_query_without_words_finds_nothing_by_words(index: Small, text: str) -> None:
    assert all("bm25" not in hit.parts for hit in search(index, text, 5))


def test_no_limit_no_hits(index: Small) -> None:
    assert search(index, "cart", 0) == []


def test_equal_chunks_come_by_nearness_then_path(tmp_path: Path) -> None:
    same = "def checksum(block):\n    return crc(block)"
    index = Small(tmp_path / "bm25", [chunk_of(f"{folder}/sum.py", 0, same, "") for folder in ("a", "b", "c")])
    assert [path for path, _ in places(search(index, "checksum block", 3))] == ["a/sum.py", "b/sum.py", "c/sum.py"]
    near = search(index, "checksum block", 3, near_path="c/main.py")
    assert [path for path, _ in places(near)] == ["c/sum.py", "a/sum.py", "b/sum.py"]


def test_the_same_language_wins_a_tie(tmp_path: Path) -> None:
    chunks = [chunk_of("x/a.js", 0, "alpha", ""), chunk_of("x/b.go", 0, "alpha", "")]
    index = Small(tmp_path / "bm25", chunks, with_vectors=False)
    assert places(search(index, "alpha", 2, near_path="y/z.go"))[0] == ("x/b.go", 0)
    assert places(search(index, "alpha", 2))[0] == ("x/a.js", 0)


def test_more_is_fetched_when_the_excluded_file_fills_the_lists(tmp_path: Path) -> None:
    chunks = [chunk_of("big.py", number, "needle needle needle") for number in range(200)]
    index = Small(tmp_path / "bm25", [*chunks, chunk_of("small.py", 0, "one needle among many other words " * 3)])
    assert places(search(index, "needle", 3, exclude_path="big.py")) == [("small.py", 0)]
    assert len(index.asked) > 1


def test_fusion_weighs_ranks_not_scores() -> None:
    fused = fuse({"bm25": [(1, 900.0), (2, 1.0)], "vector": [(2, 0.9), (3, 0.1)]})
    assert fused[1] == pytest.approx(3 / 21)
    assert fused[2] == pytest.approx(3 / 22 + 1 / 21)
    assert fused[3] == pytest.approx(1 / 22)


def test_equal_scores_share_a_rank() -> None:
    fused = fuse({"bm25": [(1, 5.0), (2, 5.0), (3, 4.0)]})
    assert fused[1] == fused[2] == pytest.approx(3 / 21)
    assert fused[3] == pytest.approx(3 / 23)


def test_search_is_deterministic(index: Small) -> None:
    assert search(index, "item price rate", 5) == search(index, "item price rate", 5)


def test_only_the_end_of_a_long_query_counts(index: Small) -> None:
    hits = search(index, "tax rate price\n" + "filler " * 2_000 + "\nadd_item item", 1)
    assert places(hits)[0][0] in {"shop/cart.py", "web/cart.ts"}
