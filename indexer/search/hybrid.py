"""Hybrid search: BM25 and vectors, joined by reciprocal rank fusion.

Method: G. Cormack, C. Clarke and S. Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods", SIGIR 2009. ``search`` uses an index through ``Searchable`` alone.
"""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from indexer.languages.grammars import language_of
from indexer.search.embedding import Encoder
from indexer.text.terms import terms
from indexer.types import Chunk, Hit

# Reciprocal rank fusion: sum of weight / (K + rank). Names matter most in code search, so BM25 counts three times as
# much. Over five repositories (``benchmarks/results/search.json``) recall at 10 of the next chunk is .346 for BM25
# alone and .346 so (.319 and .322 with 2:1 and 3:1 on four of them); a question in words finds its code at .306 against
# .293. The standard error is 1.1 points.
RANK_CONSTANT = 20
WEIGHTS = {"bm25": 3.0, "vector": 1.0}
# The least number of candidates from each retriever.
_POOL = 40
_LARGEST_POOL = 1_000
# Text that a query is made of: the last lines before a cursor, not a whole file.
QUERY_CHARS = 4_000
# A chunk in the same directory as the cursor moves up by less than one rank at the top of the list.
_NEAR_BONUS = 0.002
_SAME_LANGUAGE_BONUS = 1e-6


class Searchable(Protocol):
    """What search needs of an index. Keys are unique integers; both searches return only live chunks, best first."""

    @property
    def encoder(self) -> Encoder | None:
        """The encoder that made the vectors; None for an index without vectors."""

    def bm25_search(self, terms: list[str], limit: int) -> list[tuple[int, float]]:
        """Chunk keys and BM25 scores."""

    def vector_search(self, vector: npt.NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """Chunk keys and inner products with a unit vector."""

    def chunk(self, chunk_key: int) -> Chunk:
        """The chunk of a key."""


def search(
    index: Searchable,
    text: str,
    limit: int,
    exclude_path: str | None = None,
    near_path: str | None = None,
    per_file: int | None = 2,
) -> list[Hit]:
    """The chunks that match a text best, best first; equal scores in the order of path and line.

    :param text: words typed by a person, or the lines before a cursor; its last 4,000 characters are used.
    :param exclude_path: a file that must not be found (the one being edited).
    :param near_path: a file whose neighbours win a close race, and whose language wins a tie.
    :param per_file: at most this many hits of one file; None for no limit.
    """
    text = text[-QUERY_CHARS:]
    if limit <= 0 or not text.strip():
        return []
    words = terms(text)
    vector = None if index.encoder is None else index.encoder.encode([text])[0]
    pool = max(_POOL, 4 * limit)
    while True:
        lists = {"bm25": index.bm25_search(words, pool)}
        if vector is not None:
            lists["vector"] = index.vector_search(vector, pool)
        hits = _limited(_fuse(index, lists, exclude_path, near_path), limit, per_file)
        # The file that is excluded, or a few files with many hits each, may have filled the lists.
        if len(hits) == limit or pool >= _LARGEST_POOL or all(len(ranked) < pool for ranked in lists.values()):
            return hits
        pool *= 4


def fuse(lists: dict[str, list[tuple[int, float]]]) -> dict[int, float]:
    """Reciprocal rank fusion of ranked lists of ``(key, score)``, by name of the retriever.

    Equal scores share a rank, so the order in which a retriever lists them does not matter.
    """
    fused: dict[int, float] = {}
    for name, ranked in lists.items():
        weight = WEIGHTS.get(name, 1.0)
        rank, last = 0, None
        for place, (key, score) in enumerate(ranked, start=1):
            if score != last:
                rank, last = place, score
            fused[key] = fused.get(key, 0.0) + weight / (RANK_CONSTANT + rank)
    return fused


def _fuse(
    index: Searchable, lists: dict[str, list[tuple[int, float]]], exclude_path: str | None, near_path: str | None
) -> list[Hit]:
    parts: dict[int, dict[str, float]] = {}
    for name, ranked in lists.items():
        for key, score in ranked:
            parts.setdefault(key, {})[name] = score
    folder = near_path.rpartition("/")[0] if near_path is not None else None
    language = language_of(near_path) if near_path is not None else None
    hits = []
    for key, score in fuse(lists).items():
        chunk = index.chunk(key)
        if chunk.path == exclude_path:
            continue
        if folder is not None and chunk.path.rpartition("/")[0] == folder:
            score += _NEAR_BONUS
        if language is not None and chunk.language == language:
            score += _SAME_LANGUAGE_BONUS
        hits.append(Hit(chunk, score, parts[key]))
    hits.sort(key=lambda hit: (-hit.score, hit.chunk.path, hit.chunk.start_line))
    return hits


def _limited(hits: Iterable[Hit], limit: int, per_file: int | None) -> list[Hit]:
    chosen: list[Hit] = []
    seen: dict[str, int] = {}
    for hit in hits:
        path = hit.chunk.path
        if per_file is not None and seen.get(path, 0) >= per_file:
            continue
        seen[path] = seen.get(path, 0) + 1
        chosen.append(hit)
        if len(chosen) == limit:
            break
    return chosen
