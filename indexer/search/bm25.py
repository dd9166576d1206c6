"""BM25 over chunks: a thin, strict use of tantivy.

One tantivy directory holds one generation. Its segment files are written once; ``meta.json`` and ``.managed.json`` are
replaced by rename, so a new generation may start from hard links to the files of the one before without
touching it. Queries are built from plain terms, never parsed from text. The interface is a document's
key, a chunk's key and terms.

Tantivy's statistics count deleted documents until their segment is merged away, so after an update scores may differ in
the third digit from those of a fresh build; the chunks that can be found are the same. Opening a directory, even to
read, takes a lock file in it: it must be writable; the file is removed again here, so that a directory holds what its
manifest lists. An open index keeps one sleeping thread that watches ``meta.json``.
"""

import contextlib
from pathlib import Path

import tantivy

# Which of a query's terms are searched. Terms in few chunks cost next to nothing, and some of them occur only in the
# file that is being edited; of the others the rarest decide, and more of them cost time without better results. Over
# four repositories (celery, gson, ibex, okhttp; 1,600 queries of 39 terms) recall at 10 of the next chunk was .324 so,
# .308 with the 24 rarest, .304 with the 48 rarest.
RARE = 16
RARE_TERMS = 64
QUERY_TERMS = 12
# One writing thread: the build runs one process per core already. 128 MB hold the postings of some 100,000 chunks, so
# that a build of a million lines becomes one segment.
_HEAP_BYTES = 128_000_000
_UPDATE_HEAP_BYTES = 15_000_000
_LOCKS = (".tantivy-writer.lock", ".tantivy-meta.lock")


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("doc", stored=False, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("chunk", stored=False, indexed=False, fast=True)
    builder.add_text_field("terms", stored=False, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _plain(key: str) -> str:
    """A key that can be written as UTF-8: a path need not be."""
    return key.encode("utf-8", "backslashreplace").decode("utf-8")


def _unlock(directory: Path) -> None:
    """Remove the lock files that tantivy leaves behind; the locks themselves end with their process."""
    for name in _LOCKS:
        with contextlib.suppress(OSError):
            (directory / name).unlink()


class Bm25Writer:
    """Adds and deletes chunks; nothing is visible before ``commit``, after which no thread and no lock file is left.

    :param directory: a new, empty or cloned directory; made when it is missing.
    :param small: an update of a few documents: takes a small heap.
    """

    def __init__(self, directory: Path, small: bool = False) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        index = tantivy.Index(_schema(), path=str(directory), reuse=True)
        heap = _UPDATE_HEAP_BYTES if small else _HEAP_BYTES
        self._open: tantivy.IndexWriter | None = index.writer(heap_size=heap, num_threads=1)

    def add(self, doc_key: str, chunk_key: int, terms: str) -> None:
        """Add one chunk of a document.

        :param doc_key: what ``delete`` names later; any text up to 65,000 bytes.
        :param chunk_key: unique in the index, at least 0.
        :param terms: search terms separated by one space.
        """
        document = tantivy.Document()
        document.add_text("doc", _plain(doc_key))
        document.add_unsigned("chunk", chunk_key)
        document.add_text("terms", terms)
        self._writer().add_document(document)

    def delete(self, doc_key: str) -> None:
        """Delete every chunk added earlier under this key; adding it again afterwards works."""
        self._writer().delete_documents_by_term("doc", _plain(doc_key))

    def commit(self) -> None:
        """Make all of it durable in the directory and end the writer's threads. The writer is used up."""
        writer = self._writer()
        writer.commit()
        writer.wait_merging_threads()
        self._open = None
        _unlock(self._directory)

    def _writer(self) -> tantivy.IndexWriter:
        if self._open is None:
            raise ValueError("this writer has committed; open another")
        return self._open


class Bm25:
    """A committed directory, opened for search; it stays at the generation it was opened at."""

    def __init__(self, directory: Path) -> None:
        self._index = tantivy.Index.open(str(directory))
        self._index.config_reader(reload_policy="manual")
        self._index.reload()
        self._schema = self._index.schema
        self._searcher = self._index.searcher()
        _unlock(directory)

    def __len__(self) -> int:
        """Number of chunks, deleted ones not counted."""
        return int(self._searcher.num_docs)

    def frequency(self, term: str) -> int:
        """Number of chunks that hold a term (deleted ones included until they are merged away)."""
        return int(self._searcher.doc_freq("terms", term))

    def search(self, terms: list[str], limit: int) -> list[tuple[int, float]]:
        """The best chunks for a list of terms, best first; equal scores in the order of their keys.

        Of the terms in more than 16 chunks only the rarest 12 are used; a repeated term counts once.
        """
        if limit <= 0:
            return []
        counted = sorted((self.frequency(term), term) for term in set(terms))
        rare = [term for count, term in counted if 0 < count <= RARE][:RARE_TERMS]
        chosen = rare + [term for count, term in counted if count > RARE][:QUERY_TERMS]
        if not chosen:
            return []
        parts = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "terms", term, index_option="freq"))
            for term in chosen
        ]
        # Equal scores are ordered by key, not by tantivy's segments: hence the margin. The sum of a score's parts may
        # differ in its last bit with the order of the segments: hence the rounding.
        hits = self._searcher.search(tantivy.Query.boolean_query(parts), limit=limit + 32, count=False).hits
        keys = self._searcher.fast_field_values("chunk", [address for _, address in hits])
        ranked = sorted(
            (-round(float(score), 4), int(key)) for (score, _), key in zip(hits, keys, strict=True) if key is not None
        )
        return [(key, -score) for score, key in ranked[:limit]]
