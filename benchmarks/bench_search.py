"""Measures how well and how fast search finds code for a continuation; writes JSON.

    python benchmarks/bench_search.py PATH... [--cases 400] [--out benchmarks/results/search.json]

The first task is "next chunk": a chunk of the repository is held out together with its file; the query is the ten lines
before it. Two measures, both without a model:

- ``recall``: the target is the chunk of another file that shares the held-out chunk's rarest identifiers (those in 2 to
  8 chunks); is it among the first 1 and 10? Defined by words, so it favours BM25.
- ``lines``: which share of the held-out chunk's lines (of at least three words) occurs verbatim in the first 10 chunks
  found; retrieval can copy these. ``lines_at_most`` is the share that occurs anywhere outside the file.

The second task is a question in words: the first sentence of a chunk's comment is to find the chunk, from which (and
from all others that have such a comment) the comments were removed; ``question_recall`` at 1 and 10.

BM25 alone, vectors alone and the fused search answer the same queries. Times are per query, over the opened index.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_on import head, made_on, publish

from indexer.building.build import build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.search import vectors
from indexer.search.bm25 import Bm25, Bm25Writer
from indexer.search.embedding import Encoder
from indexer.search.hybrid import search
from indexer.search.vectors import Vectors
from indexer.storage.reader import Index
from indexer.text.terms import terms, words
from indexer.types import Chunk, Hit

# A sentence at the start of a comment or docstring: a capital letter, then words.
_SENTENCE = re.compile(r'(?:"""|/\*\*?|^[ \t]*(?://+|#|--))\s*([A-Z][a-z]+ [a-z][^\n]*?)(?:"""|\*/)?$', re.MULTILINE)
_COMMENTS = re.compile(r'"""[\s\S]*?"""|/\*[\s\S]*?\*/|^[ \t]*(?://|#|--).*$', re.MULTILINE)

CONTEXT_LINES = 10
FOUND = 10
RETRIEVERS = ("bm25", "vectors", "fused")


class Only:
    """An index of which one retriever is asked."""

    def __init__(self, index: "Index | Uncommented", retriever: str) -> None:
        self._index = index
        self._retriever = retriever
        self.encoder = index.encoder if retriever != "bm25" else None

    def bm25_search(self, terms: list[str], limit: int) -> list[tuple[int, float]]:
        """Nothing, unless BM25 is asked."""
        return self._index.bm25_search(terms, limit) if self._retriever != "vectors" else []

    def vector_search(self, vector: np.ndarray, limit: int) -> list[tuple[int, float]]:
        """As the index answers."""
        return self._index.vector_search(vector, limit)

    def chunk(self, chunk_key: int) -> Chunk:
        """As the index has it."""
        return self._index.chunk(chunk_key)


def long_lines(text: str) -> list[str]:
    """The lines that are worth copying, without their indentation."""
    return [line.strip() for line in text.split("\n") if len(words(line)) >= 3]


def cases(index: Index, count: int, seed: int) -> list[tuple[str, Chunk, set[tuple[str, int]]]]:
    """(query, held-out chunk, keys of its target chunks)."""
    chunks = [chunk for document in index.documents.values() for chunk in index.chunks(document)]
    holders: dict[bytes, set[int]] = defaultdict(set)
    for number, chunk in enumerate(chunks):
        for word in set(words(chunk.text)):
            holders[word].add(number)
    order = list(range(len(chunks)))
    random.Random(seed).shuffle(order)
    found = []
    for number in order:
        chunk = chunks[number]
        if chunk.start_line < CONTEXT_LINES or len(found) == count:
            continue
        votes: Counter[int] = Counter()
        for word in set(words(chunk.text)):
            if 2 <= len(holders[word]) <= 8 and len(word) > 3:
                votes.update(other for other in holders[word] if chunks[other].path != chunk.path)
        if not votes or max(votes.values()) < 2:
            continue
        best = max(votes.values())
        document = index.documents[chunk.path]
        lines = index.text(document).split("\n")[: chunk.start_line]
        query = "\n".join([line for line in lines if line.strip()][-CONTEXT_LINES:])
        targets = {(chunks[other].path, chunks[other].start_line) for other, n in votes.items() if n == best}
        found.append((query, chunk, targets))
    return found


def measure(
    find: Callable[[str, str], list[Hit]], tasks: list[tuple[str, Chunk, set[tuple[str, int]]]]
) -> dict[str, float]:
    """Recall, verbatim lines and milliseconds of one way to search."""
    first = ten = covered = total = 0
    times = []
    for query, chunk, targets in tasks:
        started = time.perf_counter()
        hits = find(query, chunk.path)
        times.append((time.perf_counter() - started) * 1000)
        places = [(hit.chunk.path, hit.chunk.start_line) for hit in hits]
        first += bool(targets & set(places[:1]))
        ten += bool(targets & set(places[:FOUND]))
        present = {line for hit in hits[:FOUND] for line in long_lines(hit.chunk.text)}
        wanted = long_lines(chunk.text)
        covered += sum(line in present for line in wanted)
        total += len(wanted)
    times.sort()
    return {
        "recall_at_1": round(first / len(tasks), 3),
        "recall_at_10": round(ten / len(tasks), 3),
        "lines_at_10": round(covered / max(1, total), 3),
        "p50_ms": round(times[len(times) // 2], 2),
        "p95_ms": round(times[int(len(times) * 0.95)], 2),
    }


class Uncommented:
    """Chunks with their comments removed where these begin with a sentence, indexed in memory."""

    def __init__(self, chunks: list[Chunk], folder: Path) -> None:
        self.questions: list[tuple[str, int]] = []
        self.chunks = list(chunks)
        for number, chunk in enumerate(chunks):
            sentence = _SENTENCE.search(chunk.text)
            rest = _COMMENTS.sub("", chunk.text)
            if sentence and len(words(sentence[1])) >= 4 and len(words(rest)) >= 15:
                self.questions.append((sentence[1], number))
                self.chunks[number] = replace(chunk, text=rest)
        writer = Bm25Writer(folder)
        texts = [f"{chunk.header}\n{chunk.text}" for chunk in self.chunks]
        for number, text in enumerate(texts):
            writer.add(str(number), number, " ".join(terms(text)))
        writer.commit()
        self._bm25 = Bm25(folder)
        self.encoder = Encoder.load()
        self._vectors = Vectors.load(vectors.build_vectors(self.encoder.encode(texts)))

    def bm25_search(self, terms: list[str], limit: int) -> list[tuple[int, float]]:
        """As the index would answer."""
        return self._bm25.search(terms, limit)

    def vector_search(self, vector: np.ndarray, limit: int) -> list[tuple[int, float]]:
        """As the index would answer."""
        ids, scores = self._vectors.search(vector, limit)
        return list(zip(ids.tolist(), scores.tolist(), strict=True))

    def chunk(self, chunk_key: int) -> Chunk:
        """By its place."""
        return self.chunks[chunk_key]


def question_recall(index: Uncommented, retriever: str, count: int, seed: int) -> dict[str, float]:
    """How often the chunk of a question is the first found, or among the first ten."""
    questions = random.Random(seed).sample(index.questions, min(count, len(index.questions)))
    first = ten = 0
    for sentence, number in questions:
        hits = search(Only(index, retriever), sentence, FOUND, per_file=None)
        places = [hit.chunk is index.chunks[number] for hit in hits]
        first += any(places[:1])
        ten += any(places)
    total = max(1, len(questions))
    return {"question_recall_at_1": round(first / total, 3), "question_recall_at_10": round(ten / total, 3)}


def ceiling(index: Index, tasks: list[tuple[str, Chunk, set[tuple[str, int]]]]) -> float:
    """The share of held-out lines that occur in any other file."""
    places: dict[str, set[str]] = defaultdict(set)
    for document in index.documents.values():
        for line in long_lines(index.text(document)):
            places[line].add(document.path)
    wanted = [(line, chunk.path) for _, chunk, _ in tasks for line in long_lines(chunk.text)]
    return round(sum(bool(places[line] - {path}) for line, path in wanted) / max(1, len(wanted)), 3)


def run(root: Path, count: int, seed: int) -> dict[str, object]:
    """Index one repository, ask, and tell."""
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(Settings(), data_dir=Path(folder))
        started = time.monotonic()
        report = build(root, settings)
        seconds = time.monotonic() - started
        index = Index.open(index_directory(settings, root))
        tasks = cases(index, count, seed)
        if not tasks:
            sys.exit(f"{root.name} has no chunk that shares rare words with another file")
        chunks = [chunk for document in index.documents.values() for chunk in index.chunks(document)]
        plain = Uncommented(chunks, Path(folder) / "uncommented")

        def by(retriever: str) -> Callable[[str, str], list[Hit]]:
            one = Only(index, retriever)
            return lambda query, path: search(one, query, FOUND, exclude_path=path, near_path=path)

        for retriever in RETRIEVERS:
            by(retriever)("warm up", "")
        return {
            "repository": root.name,
            "repository_commit": head(root),
            "files": report.files,
            "chunks": report.chunks,
            "build_seconds": round(seconds, 1),
            "cases": len(tasks),
            "questions": min(count, len(plain.questions)),
            "query_terms": round(sum(len(set(terms(query))) for query, _, _ in tasks) / len(tasks), 1),
            "lines_at_most": ceiling(index, tasks),
            **{name: measure(by(name), tasks) | question_recall(plain, name, count, seed) for name in RETRIEVERS},
        }


def main() -> None:
    """Measure each repository, print, and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("paths", type=Path, nargs="+")
    options.add_argument("--cases", type=int, default=400)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--out", type=Path)
    args = options.parse_args()
    found = [run(path.resolve(), args.cases, args.seed) for path in args.paths]
    mean = {
        name: {key: round(sum(one[name][key] for one in found) / len(found), 3) for key in found[0][name]}  # type: ignore[index, attr-defined]
        for name in RETRIEVERS
    }
    result = {"machine": made_on(), "mean": mean, "repositories": found}
    publish(result, args.out)


if __name__ == "__main__":
    main()
