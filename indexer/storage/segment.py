"""One segment: an immutable set of documents in files named by what they hold, written once and then memory-mapped.

    documents.zst    JSON of the columns of text: path, blob, language, encoding
    numbers.zst      int64 (8, documents): the columns of ``NUMBERS``
    chunks.zst       int32 (2, chunks): first line and line after the last, in the order of documents
    texts.bin        the texts and the chunks' headers (``text_blocks``)
    vectors.faiss    one vector per chunk, in the same order
    suffix-*         the token suffix index over the documents, in the same order
    words.*          the distinct words of all documents

A chunk's text is not stored a second time: it is cut from the document's text by its lines.

The manifest of a generation says which documents of a segment are live.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer import fsio
from indexer.search import suffix_array, word_prefixes
from indexer.search.suffix_array import SuffixIndex
from indexer.search.word_prefixes import Words, words_of
from indexer.storage import earlier_format, text_blocks
from indexer.storage.mapping import map_file
from indexer.storage.text_blocks import Place, pack_text
from indexer.text.lines import lines_with_ends
from indexer.text.tokens import TOKEN, Lexed
from indexer.types import Chunk
from indexer.zstd import compress, decompress

NUMBERS: Final = ("id", "block_start", "block_size", "offset", "size", "lines", "first_chunk", "masked")
"""Columns of ``numbers.zst``; ``size`` is the text's in bytes of UTF-8, the three before it are its :class:`Place`."""

CHUNK_BITS: Final = 20
"""A chunk's key is its document's id shifted by this, plus its number in the document."""

SMALL_BYTES: Final = 1_000_000
"""Bytes of text below which a segment counts as small; each update writes one small segment of the changed files."""

_TABLE_LEVEL: Final = 9


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document as a worker prepared it: what its segment stores, and its terms and tokens.

    :param size: bytes of the text in UTF-8.
    :param packed: headers and text, as :func:`~indexer.storage.text_blocks.pack_text` makes it.
    :param spans: int32 ``(chunks, 2)``, first line and line after the last.
    :param vectors: float32 ``(chunks, dimensions)``.
    :param terms: for each chunk its BM25 terms, joined by spaces.
    :param words: its distinct words, as ``words_of`` gives them.
    """

    path: str
    blob: str
    language: str
    encoding: str
    masked: int
    lines: int
    size: int
    packed: bytes
    spans: NDArray[np.int32]
    vectors: NDArray[np.float32]
    terms: list[str]
    words: str
    lexed: Lexed


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document of the index.

    :param id: unique in the index; it stays the same when the segment is rewritten.
    :param segment: number of its segment; ``local`` is its position there.
    :param size: bytes of its text in UTF-8.
    """

    id: int
    path: str
    blob: str
    language: str
    live: bool
    segment: int
    local: int
    size: int
    lines: int
    chunks: int
    masked: int


def chunk_key(document_id: int, number: int) -> int:
    """The key of chunk ``number`` of a document, unique in the index."""
    return document_id << CHUNK_BITS | number


def write(directory: Path, documents: Sequence[Prepared], ids: Sequence[int], suffixes: dict[str, bytes]) -> None:
    """Write the files of a segment into the new directory ``directory``.

    :param ids: the documents' ids, in the same order.
    :param suffixes: the result of :func:`suffix_files` for the documents' tokens, in the same order.
    """
    counts = [len(document.spans) for document in documents]
    blocks, places = text_blocks.join(document.packed for document in documents)
    columns = [
        ids,
        *np.array(places, np.int64).reshape(-1, len(Place._fields)).T,
        [document.size for document in documents],
        [document.lines for document in documents],
        np.cumsum([0, *counts])[:-1],
        [document.masked for document in documents],
    ]
    spans = np.concatenate([np.empty((0, 2), np.int32), *(document.spans for document in documents)])
    names = {name: [getattr(document, name) for document in documents] for name in _TEXT_COLUMNS}
    for name, table in (
        (_NAMES, json.dumps(names, separators=(",", ":")).encode()),
        ("numbers.zst", np.array(columns, "<i8").tobytes()),
        ("chunks.zst", np.ascontiguousarray(spans.T, "<i4").tobytes()),
    ):
        fsio.write_file(directory / name, compress(table, _TABLE_LEVEL))
    fsio.write_parts(directory / "texts.bin", blocks)
    for name, data in sorted(
        {**suffixes, **word_prefixes.build_words(document.words for document in documents)}.items()
    ):
        fsio.write_file(directory / name, data)
    vectors = [document.vectors for document in documents if len(document.spans)]
    if vectors and vectors[0].shape[1]:
        from indexer.search import vectors as faiss

        fsio.write_file(directory / "vectors.faiss", faiss.build_vectors(np.concatenate(vectors)))


_NAMES: Final = "documents.zst"
_TEXT_COLUMNS: Final = ("path", "blob", "language", "encoding")


def stored_names(directory: Path) -> bytes:
    """The columns of text of a segment's documents as JSON, without opening the segment."""
    return decompress(fsio.read(directory / _NAMES))


def folders_of(paths: Iterable[str]) -> frozenset[str]:
    """The folders above some files, those above these included, but for the root."""
    found: set[str] = set()
    for folder in {path.rpartition("/")[0] for path in paths}:
        above = folder
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return frozenset(found)


def has_encoder() -> bool:
    """Whether the embedding is installed; an index made without it has no vectors."""
    return (Path(__file__).parents[1] / "data" / "embedding.npz").exists()


def suffix_files(documents: Sequence[Lexed]) -> dict[str, bytes]:
    """The files of the token suffix index under the names they have in a segment."""
    return {f"suffix-{name}": data for name, data in suffix_array.build_suffixes(documents).items()}


class Segment:
    """A segment opened for reading; all its files are mapped at once, so they may be removed later.

    :param dead: local numbers of its deleted documents.
    """

    def __init__(self, directory: Path, number: int, dead: Sequence[int]) -> None:
        self.number = number
        self._maps = {path.name: map_file(path) for path in sorted(directory.iterdir())}
        if earlier_format.is_earlier(self._maps):
            self._maps = earlier_format.converted(self._maps)
        names: dict[str, list[str]] = json.loads(self._table(_NAMES))
        numbers = np.frombuffer(self._table("numbers.zst"), "<i8").reshape(len(NUMBERS), -1)
        self.ids, *_, sizes, lines, self._first_chunks, masked = numbers
        self._places = numbers[1 : 1 + len(Place._fields)]
        self.spans: NDArray[np.int32] = np.frombuffer(self._table("chunks.zst"), "<i4").reshape(2, -1).T
        self.live = np.ones(len(self.ids), bool)
        self.live[list(dead)] = False
        self.chunk_counts: NDArray[np.int64] = np.diff(np.append(self._first_chunks, len(self.spans)))
        rows = zip(
            self.ids.tolist(),
            *(names[name] for name in _TEXT_COLUMNS[:3]),
            self.live.tolist(),
            *(column.tolist() for column in (sizes, lines, self.chunk_counts, masked)),
            strict=True,
        )
        self.documents: list[IndexedDocument] = [
            IndexedDocument(id, path, blob, language, live, number, local, size, lines, chunks, masked)
            for local, (id, path, blob, language, live, size, lines, chunks, masked) in enumerate(rows)
        ]
        self.encodings = names["encoding"]
        self.bytes = int(sizes.sum())

    def _table(self, name: str) -> bytes:
        return decompress(self._maps[name])

    def hide(self, local: int) -> None:
        """Hide a document in this reader alone."""
        self.live[local] = False
        self.documents[local] = replace(self.documents[local], live=False)

    def unpacked(self, local: int) -> tuple[str, list[str]]:
        """Text and chunk headers of a document."""
        place = Place(*self._places[:, local].tolist())
        return text_blocks.read(self._maps["texts.bin"], place, self.documents[local].size)

    def document_spans(self, local: int) -> NDArray[np.int32]:
        """The chunks of a document, int32 ``(chunks, 2)``."""
        first = int(self._first_chunks[local])
        return self.spans[first : first + self.documents[local].chunks]

    def document_chunks(self, local: int) -> list[Chunk]:
        """All chunks of a document with their text."""
        document = self.documents[local]
        text, headers = self.unpacked(local)
        lines = lines_with_ends(text)
        return [
            Chunk(document.path, document.language, start, end, header, "".join(lines[start:end]))
            for (start, end), header in zip(self.document_spans(local).tolist(), headers, strict=False)
        ]

    def prepared(self, local: int, vectors: NDArray[np.float32], lexed: Lexed) -> Prepared:
        """A document as its worker prepared it, without terms, to write it into another segment.

        :param vectors: those of the whole segment. :param lexed: the document's, from :meth:`lexed`.
        """
        document = self.documents[local]
        first = int(self._first_chunks[local])
        text, headers = self.unpacked(local)
        return Prepared(
            path=document.path,
            blob=document.blob,
            language=document.language,
            encoding=self.encodings[local],
            masked=document.masked,
            lines=document.lines,
            size=document.size,
            packed=pack_text(text, headers),
            spans=self.document_spans(local),
            vectors=vectors[first : first + document.chunks],
            terms=[],
            words=words_of(TOKEN.findall(text)),
            lexed=lexed,
        )

    def vectors(self) -> NDArray[np.float32]:
        """All vectors, float32 ``(chunks, dimensions)``; no dimensions in an index without vectors."""
        if self.vector_data is None:
            return np.empty((len(self.spans), 0), np.float32)
        from indexer.search.vectors import Vectors

        return Vectors.load(self.vector_data).rows()

    def lexed(self) -> list[Lexed]:
        """The tokens of every document, read back from the suffix index."""
        return self.suffix.lexed()

    def chunk_keys(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keys of the chunks in the given rows of the chunk table; -1 for chunks of deleted documents."""
        locals_ = np.searchsorted(self._first_chunks, rows, side="right") - 1
        keys: NDArray[np.int64] = (self.ids[locals_] << CHUNK_BITS) | (rows - self._first_chunks[locals_])
        return np.where(self.live[locals_], keys, -1)

    @cached_property
    def folders(self) -> frozenset[str]:
        """All folders that hold a document, deleted ones included, or a folder that does."""
        return folders_of(document.path for document in self.documents)

    @cached_property
    def suffix(self) -> SuffixIndex:
        """The token suffix index; its document numbers are the local ones here."""
        prefix = "suffix-"
        return SuffixIndex({name[len(prefix) :]: view for name, view in self._maps.items() if name.startswith(prefix)})

    @cached_property
    def words(self) -> Words:
        """The words of all its documents, deleted ones included."""
        return Words({name: self._maps[name] for name in word_prefixes.FILES})

    @property
    def vector_data(self) -> memoryview | None:
        """The serialized vectors, one per row of the chunk table; None in an index without vectors."""
        return self._maps.get("vectors.faiss")
