"""One segment: an immutable set of documents in files named by what they hold, written once and then memory-mapped.

    documents.json   columns of text: path, blob, language, encoding
    documents.npy    int64 (documents, 7): the columns of ``NUMBERS``
    chunks.npy       int32 (chunks, 2): first line and line after the last, in the order of documents
    texts.bin        per document one zlib stream: the chunks' headers, then the text
    vectors.faiss    one vector per chunk, in the same order
    suffix-*         the token suffix index over the documents, in the same order
    words.*          the distinct words of all documents

A chunk's text is not stored a second time: it is cut from the document's text by its lines.

The manifest of a generation says which documents of a segment are live.
"""

import io
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer import fsio
from indexer.search import suffix_array, word_prefixes
from indexer.search.suffix_array import SuffixIndex
from indexer.search.word_prefixes import Words, words_of
from indexer.storage.mapping import map_file
from indexer.text.lines import lines_with_ends
from indexer.text.tokens import TOKEN, WIDTH, Lexed, unpack
from indexer.types import Chunk

NUMBERS: Final = ("id", "packed_start", "packed_size", "size", "lines", "first_chunk", "masked")
"""Columns of ``documents.npy``; ``size`` is the text's in bytes of UTF-8."""

CHUNK_BITS: Final = 20
"""A chunk's key is its document's id shifted by this, plus its number in the document."""

SMALL_BYTES: Final = 1_000_000
"""Bytes of text below which a segment counts as small; each update writes one small segment of the changed files."""

_LENGTH: Final = struct.Struct("<I")
_COMPRESSION: Final = 6
"""Level 9 takes three times as long and saves one part in a hundred of the texts (measured on a million lines)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document as a worker prepared it: what its segment stores, and its terms and tokens.

    :param size: bytes of the text in UTF-8.
    :param packed: headers and text, as :func:`pack_text` makes it.
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


def pack_text(text: str, headers: Sequence[str]) -> bytes:
    """Compress a document's text and the headers of its chunks into one record. Lone surrogates are kept."""
    head = "\n".join(headers).encode("utf-8", "surrogatepass")
    return zlib.compress(_LENGTH.pack(len(head)) + head + text.encode("utf-8", "surrogatepass"), _COMPRESSION)


def unpack_text(packed: bytes | memoryview) -> tuple[str, list[str]]:
    """The inverse of :func:`pack_text`: text and headers."""
    data = zlib.decompress(packed)
    end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    headers = data[_LENGTH.size : end].decode("utf-8", "surrogatepass")
    return data[end:].decode("utf-8", "surrogatepass"), headers.split("\n")


def chunk_key(document_id: int, number: int) -> int:
    """The key of chunk ``number`` of a document, unique in the index."""
    return document_id << CHUNK_BITS | number


def write(directory: Path, documents: Sequence[Prepared], ids: Sequence[int], suffixes: dict[str, bytes]) -> None:
    """Write the files of a segment into the new directory ``directory``.

    :param ids: the documents' ids, in the same order.
    :param suffixes: the result of :func:`suffix_files` for the documents' tokens, in the same order.
    """
    counts = [len(document.spans) for document in documents]
    packed = [len(document.packed) for document in documents]
    columns = [
        ids,
        np.cumsum([0, *packed])[:-1],
        packed,
        [document.size for document in documents],
        [document.lines for document in documents],
        np.cumsum([0, *counts])[:-1],
        [document.masked for document in documents],
    ]
    numbers = np.array(columns, np.int64).reshape(len(NUMBERS), len(documents)).T
    spans = np.concatenate([np.empty((0, 2), np.int32), *(document.spans for document in documents)])
    names = {name: [getattr(document, name) for document in documents] for name in _TEXT_COLUMNS}
    fsio.write_file(directory / "documents.json", json.dumps(names, separators=(",", ":")).encode())
    fsio.write_file(directory / "documents.npy", _npy(numbers))
    fsio.write_file(directory / "chunks.npy", _npy(spans.astype("<i4")))
    fsio.write_parts(directory / "texts.bin", [document.packed for document in documents])
    for name, data in sorted(
        {**suffixes, **word_prefixes.build_words(document.words for document in documents)}.items()
    ):
        fsio.write_file(directory / name, data)
    vectors = [document.vectors for document in documents if len(document.spans)]
    if vectors and vectors[0].shape[1]:
        from indexer.search import vectors as faiss

        fsio.write_file(directory / "vectors.faiss", faiss.build_vectors(np.concatenate(vectors)))


_TEXT_COLUMNS: Final = ("path", "blob", "language", "encoding")


def has_encoder() -> bool:
    """Whether the embedding is installed; an index made without it has no vectors."""
    return (Path(__file__).parents[1] / "data" / "embedding.npz").exists()


def suffix_files(documents: Sequence[Lexed]) -> dict[str, bytes]:
    """The files of the token suffix index under the names they have in a segment."""
    return {f"suffix-{name}": data for name, data in suffix_array.build_suffixes(documents).items()}


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


class Segment:
    """A segment opened for reading; all its files are mapped at once, so they may be removed later.

    :param dead: local numbers of its deleted documents.
    """

    def __init__(self, directory: Path, number: int, dead: Sequence[int]) -> None:
        self.number = number
        self._maps = {path.name: map_file(path) for path in sorted(directory.iterdir())}
        names: dict[str, list[str]] = json.loads(bytes(self._maps["documents.json"]))
        self._numbers: NDArray[np.int64] = np.load(io.BytesIO(self._maps["documents.npy"]), allow_pickle=False)
        self.spans: NDArray[np.int32] = np.load(io.BytesIO(self._maps["chunks.npy"]), allow_pickle=False)
        self.live = np.ones(len(self._numbers), bool)
        self.live[list(dead)] = False
        self.ids = self._numbers[:, 0]
        self._first_chunks = self._numbers[:, 5]
        self.chunk_counts: NDArray[np.int64] = np.diff(np.append(self._first_chunks, len(self.spans)))
        rows = zip(
            self.ids.tolist(),
            *(names[name] for name in _TEXT_COLUMNS[:3]),
            self.live.tolist(),
            self._numbers.tolist(),
            self.chunk_counts.tolist(),
            strict=True,
        )
        self.documents: list[IndexedDocument] = [
            IndexedDocument(id, path, blob, language, live, number, local, numbers[3], numbers[4], chunks, numbers[6])
            for local, (id, path, blob, language, live, numbers, chunks) in enumerate(rows)
        ]
        self.encodings = names["encoding"]
        self.bytes = int(self._numbers[:, 3].sum())

    def hide(self, local: int) -> None:
        """Hide a document in this reader alone."""
        self.live[local] = False
        self.documents[local] = replace(self.documents[local], live=False)

    def packed(self, local: int) -> memoryview:
        """The compressed record of a document."""
        start, size = self._numbers[local, 1:3].tolist()
        return self._maps["texts.bin"][start : start + size]

    def unpacked(self, local: int) -> tuple[str, list[str]]:
        """Text and chunk headers of a document."""
        return unpack_text(self.packed(local))

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
        return Prepared(
            path=document.path,
            blob=document.blob,
            language=document.language,
            encoding=self.encodings[local],
            masked=document.masked,
            lines=document.lines,
            size=document.size,
            packed=bytes(self.packed(local)),
            spans=self.document_spans(local),
            vectors=vectors[first : first + document.chunks],
            terms=[],
            words=words_of(TOKEN.findall(self.unpacked(local)[0])),
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
        stream = np.frombuffer(self._maps["suffix-stream.u24"], np.uint8).reshape(-1, WIDTH)
        starts = np.frombuffer(self._maps["suffix-documents.u32"], "<u4").tolist()
        counts = np.frombuffer(self._maps["suffix-counts.u16"], "<u2")
        indents = np.frombuffer(self._maps["suffix-indents.u8"], np.uint8)
        ids = unpack(stream)[::-1]
        lines = np.cumsum([0, *(document.lines for document in self.documents)]).tolist()
        return [
            Lexed(ids[starts[i] : starts[i + 1] - 1], counts[lines[i] : lines[i + 1]], indents[lines[i] : lines[i + 1]])
            for i in range(len(self.documents))
        ]

    def chunk_keys(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keys of the chunks in the given rows of the chunk table; -1 for chunks of deleted documents."""
        locals_ = np.searchsorted(self._first_chunks, rows, side="right") - 1
        keys: NDArray[np.int64] = (self.ids[locals_] << CHUNK_BITS) | (rows - self._first_chunks[locals_])
        return np.where(self.live[locals_], keys, -1)

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
