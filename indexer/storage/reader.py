"""One generation of the index, opened for reading: documents, texts, chunks, and the ways to find them.

The files of an :class:`Index` never change. They are mapped when it is opened, so it stays usable while newer
generations are committed and older ones are removed; open the index again to see a newer one, which takes over the
segments that both have. Documents can be left out of an open index, for example because their files were deleted.
Several threads may use it.
"""

import copy
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexer.config import Settings
from indexer.errors import IndexMissing, UserError
from indexer.repository.policy import accepts_path
from indexer.storage import fingerprint
from indexer.storage.generations import FileRecord, Manifest, Store
from indexer.storage.segment import CHUNK_BITS, IndexedDocument, Segment
from indexer.types import Chunk

if TYPE_CHECKING:
    from indexer.search.bm25 import Bm25
    from indexer.search.embedding import Encoder
    from indexer.search.vectors import Vectors

_TEXTS_KEPT = 256
_ATTEMPTS = 5


class Index:
    """A generation of an index; open it with :meth:`open`.

    :ivar generation: its number. :ivar root: the repository's folder.
    :ivar segments: the segments, by number; ``segments[n].suffix`` is the token suffix index of one, whose document
        numbers are places in ``segments[n].documents``.
    :ivar documents: the live documents, by path.
    :ivar problem: a sentence if an older generation had to be used; else None.
    """

    def __init__(
        self, store: Store, *, settings: Settings | None = None, verify: bool = False, before: "Index | None" = None
    ) -> None:
        opened = store.open(verify=verify)
        manifest = opened.manifest
        self.manifest = manifest
        self.generation = manifest.generation
        self.root = Path(manifest.root)
        self.problem = opened.problem
        same = _same_segments(before, manifest)
        self.segments: dict[int, Segment] = {
            record.number: _view_of(same[record.number], record.dead)
            if record.number in same
            else Segment(store.segments / f"{record.number:08d}", record.number, record.dead)
            for record in manifest.segments
        }
        self._read_vectors = {n: one for n, one in before._known_vectors.items() if n in same} if before else {}
        live = [document for segment in self.segments.values() for document in segment.documents if document.live]
        self.documents: dict[str, IndexedDocument] = {
            document.path: document for document in sorted(live, key=lambda document: document.path)
        }
        self._by_id = {document.id: document for document in live}
        self._live = set(self._by_id)
        self._origin: Index | None = None
        if settings is not None:
            self._narrow(settings)
        self.bm25 = _open_bm25(store.generations / f"{manifest.generation:08d}" / "bm25")
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._chunks: OrderedDict[int, list[Chunk]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, directory: Path, settings: Settings | None = None, *, verify: bool = False, before: "Index | None" = None
    ) -> "Index":
        """Open the newest generation in ``directory`` whose files match its manifest.

        :param settings: documents that these leave out are hidden, also if the index was built with others.
        :param verify: hash every file, also those that were hashed before.
        :param before: an earlier generation that is open: segments that both have are not read again, and their
            tables are in memory once. What was left out of it is not left out of the new one.
        :raises IndexMissing: there is none. :raises IndexDamaged: none is whole.
        :raises IndexTooNew: a later version of Ondol wrote it.
        """
        for _ in range(_ATTEMPTS):
            try:
                return cls(Store(directory), settings=settings, verify=verify, before=before)
            except FileNotFoundError:
                continue  # A writer removed this generation between the check and the mapping; there is a newer one.
        raise IndexMissing(f"the index in {directory} vanished while it was opened", "run `ondol index` again")

    def view(self, settings: Settings) -> "Index":
        """The same generation for another reader, which leaves out documents of its own; memory is shared.

        :param settings: documents that these leave out are hidden. The texts that were read are kept once for all.
        """
        for segment in self.segments.values():
            _ = segment.suffix, segment.words  # read once, before the copies are made
        other = copy.copy(self)
        other.segments = {number: _view_of(segment) for number, segment in self.segments.items()}
        other._origin = self._origin or self
        other._narrow(settings)
        return other

    def _narrow(self, settings: Settings) -> None:
        if fingerprint.settings(settings) != self.manifest.settings:
            most = settings.max_file_bytes
            self.leave_out(lambda one: one.size > most or accepts_path(one.path, settings) is not None)

    def leave_out(self, unwanted: Callable[[IndexedDocument], bool]) -> int:
        """Stop using every live document that ``unwanted`` chooses, in this reader alone; return how many there were.

        Others may read meanwhile: each of them sees a document or does not. What they keep, they have to forget.
        """
        chosen = [document for document in self.documents.values() if unwanted(document)]
        for document in chosen:
            self.segments[document.segment].hide(document.local)
        if chosen:
            paths = {document.path for document in chosen}
            self.documents = {path: one for path, one in self.documents.items() if path not in paths}
            self._live = self._live - {document.id for document in chosen}
        return len(chosen)

    def document(self, path: str) -> IndexedDocument | None:
        """The live document of a path, or None."""
        return self.documents.get(path)

    def text(self, document: IndexedDocument) -> str:
        """The text of a document as it was read: decoded, secrets masked, line ends as they are."""
        with self._lock:
            if document.id in self._texts:
                self._texts.move_to_end(document.id)
                return self._texts[document.id]
        text = self.segments[document.segment].unpacked(document.local)[0]
        with self._lock:
            self._texts[document.id] = text
            while len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        return text

    def forget_texts(self) -> None:
        """Forget the texts and chunks that were read; they are read again when they are wanted."""
        with self._lock:
            self._texts.clear()
            self._chunks.clear()

    def chunk(self, chunk_key: int) -> Chunk:
        """The chunk of a key. :raises KeyError: there is none in this generation."""
        document = self._by_id[chunk_key >> CHUNK_BITS]
        chunks = self.chunks(document)
        number = chunk_key & ((1 << CHUNK_BITS) - 1)
        if number >= len(chunks):
            raise KeyError(chunk_key)
        return chunks[number]

    def span(self, chunk_key: int) -> tuple[IndexedDocument, int, int]:
        """The document of a chunk and its lines ``[first, last)``, without reading its text."""
        document = self._by_id[chunk_key >> CHUNK_BITS]
        first, last = (
            self.segments[document.segment].document_spans(document.local)[chunk_key & ((1 << CHUNK_BITS) - 1)].tolist()
        )
        return document, first, last

    def chunks(self, document: IndexedDocument) -> list[Chunk]:
        """All chunks of a document, in order."""
        with self._lock:
            if document.id in self._chunks:
                self._chunks.move_to_end(document.id)
                return self._chunks[document.id]
        chunks = self.segments[document.segment].document_chunks(document.local)
        with self._lock:
            self._chunks[document.id] = chunks
            while len(self._chunks) > _TEXTS_KEPT:
                self._chunks.popitem(last=False)
        return chunks

    # What search needs (see ``search.Searchable``)

    @cached_property
    def outdated(self) -> bool:
        """Whether another version of Ondol built it: usable, but the next `ondol index` rebuilds it."""
        return self.manifest.shape != fingerprint.shape()

    @cached_property
    def encoder(self) -> "Encoder | None":
        """The encoder that made the vectors; None for an index without vectors, or with those of another encoder."""
        if self.outdated or not any(segment.vector_data is not None for segment in self.segments.values()):
            return None
        from indexer.search.embedding import Encoder

        return Encoder.load()

    def bm25_search(self, terms: list[str], limit: int) -> list[tuple[int, float]]:
        """The best live chunks by BM25: keys and scores."""
        hits = self.bm25.search(terms, limit)
        return [(key, score) for key, score in hits if key >> CHUNK_BITS in self._live]

    def vector_search(self, vector: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """The live chunks whose vectors are nearest to a unit vector: keys and inner products."""
        found: list[tuple[float, int]] = []
        for number, vectors in self._vectors.items():
            segment = self.segments[number]
            live = None if segment.live.all() else np.repeat(segment.live, segment.chunk_counts)
            rows, scores = vectors.search(vector, limit, live)
            found += zip((-scores).tolist(), segment.chunk_keys(rows).tolist(), strict=True)
        return [(key, -score) for score, key in sorted(found)[:limit] if key >= 0]

    @cached_property
    def _vectors(self) -> "dict[int, Vectors]":
        """The vectors of each segment that has some, by the segment's number."""
        if self._origin is not None:
            return self._origin._vectors
        from indexer.search.vectors import Vectors

        known = self._read_vectors
        found = {number: segment.vector_data for number, segment in self.segments.items()}
        return {n: known[n] if n in known else Vectors.load(data) for n, data in found.items() if data is not None}

    @property
    def _known_vectors(self) -> "dict[int, Vectors]":
        """The vectors that were read by now, here or before."""
        found: dict[int, Vectors] = vars(self._origin or self).get("_vectors", self._read_vectors)
        return found


def _same_segments(before: Index | None, manifest: Manifest) -> dict[int, Segment]:
    """The segments of an open index whose files are those of a manifest, by number."""
    if before is None:
        return {}
    now, then = _files_of_segments(manifest), _files_of_segments(before.manifest)
    return {number: one for number, one in before.segments.items() if number in now and now[number] == then[number]}


def _files_of_segments(manifest: Manifest) -> dict[int, dict[str, FileRecord]]:
    """The names and records of each segment's files."""
    found: dict[int, dict[str, FileRecord]] = {record.number: {} for record in manifest.segments}
    for path, record in manifest.files.items():
        folder, number, *_ = path.split("/")
        if folder == "segments" and int(number) in found:
            found[int(number)][path] = record
    return found


def _view_of(segment: Segment, dead: Sequence[int] | None = None) -> Segment:
    """A segment for another reader, which hides documents of its own; files and tables are shared.

    :param dead: local numbers of the documents that are deleted; None for those that are not live in ``segment``.
    """
    other = copy.copy(segment)
    other.live, other.documents = segment.live.copy(), list(segment.documents)
    if dead is not None:
        other.live = np.ones(len(segment.live), bool)
        other.live[list(dead)] = False
        for local, live in enumerate(other.live.tolist()):
            if other.documents[local].live != live:
                other.documents[local] = replace(other.documents[local], live=live)
    return other


def _open_bm25(directory: Path) -> "Bm25":
    """Open the BM25 index. Opening writes a lock file; where that is not possible, a copy is opened.

    :raises FileNotFoundError: a writer removed the directory. :raises UserError: there is no place for a copy.
    """
    from indexer.search.bm25 import Bm25

    try:
        return Bm25(directory)
    except ValueError as error:
        if not directory.exists() or "FileDoesNotExist" in str(error):  # it is being removed at this moment
            raise FileNotFoundError(directory) from error
        if "Lockfile" not in str(error):
            raise
    try:
        with tempfile.TemporaryDirectory(prefix="ondol-", ignore_cleanup_errors=True) as scratch:
            for path in directory.iterdir():
                shutil.copyfile(path, Path(scratch) / path.name)
            return Bm25(Path(scratch))
    except (OSError, ValueError) as error:
        raise UserError(
            f"neither {directory} nor the temporary folder can be written ({error})", "free some space there"
        ) from error
