"""The BM25 index of one new generation: cloned from the generation before, changed, and committed with the manifest.

Nothing is cloned or opened before the first change. ``build`` passes documents; ``search.bm25`` stores keys and terms.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from indexer import fsio
from indexer.languages.chunking import chunk_terms
from indexer.storage.generations import FileRecord, Manifest, Store
from indexer.storage.segment import IndexedDocument, Segment, chunk_key

if TYPE_CHECKING:
    from indexer.search.bm25 import Bm25Writer

_REPLACED = frozenset({"meta.json", ".managed.json"})
"""Files that tantivy replaces; all others it writes once."""

_NO_SPACE = {28: "No space left on device", 27: "File too large", 122: "Disk quota exceeded"}


class Bm25Update:
    """Changes to the BM25 index since ``base``.

    :param base: the generation to start from; None for an empty start.
    """

    def __init__(self, target: Store, base: Manifest | None) -> None:
        self._target = target
        self._base = base
        self._staged: Path | None = None
        self._writer: Bm25Writer | None = None

    def add(self, document_id: int, terms: Sequence[str]) -> None:
        """Add the chunks of a document by their terms."""
        writer = self._open()
        with _translated():
            for number, text in enumerate(terms):
                writer.add(str(document_id), chunk_key(document_id, number), text)

    def delete(self, document_id: int) -> None:
        """Delete all chunks of a document."""
        writer = self._open()
        with _translated():
            writer.delete(str(document_id))

    def revive(self, segment: Segment, document: IndexedDocument) -> None:
        """Add a deleted document again whose text a segment still has."""
        self.add(document.id, [chunk_terms(piece) for piece in segment.document_chunks(document.local)])

    def commit(self, manifest: Manifest, previous: Manifest | None) -> Manifest:
        """Commit ``manifest`` with the files of the BM25 index added, and return it."""
        if self._base is None:
            self._open()
        staged = self._stage(manifest.generation)
        directory = staged / "bm25"
        if self._writer is not None:
            with _translated():
                self._writer.commit()
            self._writer = None
        files = self._records(directory, manifest.generation)
        fsio.fsync_dir(directory)
        complete = dataclasses.replace(manifest, files={**manifest.files, **files})
        self._target.commit(staged, complete, previous)
        return complete

    def _stage(self, generation: int | None = None) -> Path:
        """The unfinished generation's directory, with the clone of the BM25 index in it."""
        if self._staged is None:
            number = generation or self._target.next_generation()
            self._staged = self._target.stage(self._target.generations, number)
            directory = self._staged / "bm25"
            fsio.mkdir(directory)
            if self._base is not None:
                # Only what the manifest lists: a reader may have its lock file there at this moment.
                prefix = f"generations/{self._base.generation:08d}/bm25/"
                for name in sorted(name for name in self._base.files if name.startswith(prefix)):
                    fsio.link(self._target.directory / name, directory / name.removeprefix(prefix))
        return self._staged

    def _open(self) -> "Bm25Writer":
        if self._writer is None:
            from indexer.search.bm25 import Bm25Writer

            directory = self._stage() / "bm25"
            with _translated():
                self._writer = Bm25Writer(directory, small=self._base is not None)
        return self._writer

    def _records(self, directory: Path, generation: int) -> dict[str, FileRecord]:
        """Records of all files; those that are still the previous generation's are not hashed again."""
        old = f"generations/{self._base.generation:08d}/bm25/" if self._base else ""
        records = {}
        for path in sorted(directory.iterdir()):
            if path.suffix == ".lock":
                continue
            before = self._base.files.get(old + path.name) if self._base else None
            same = before is not None and path.name not in _REPLACED
            if same and path.stat().st_ino == (self._target.directory / old / path.name).stat().st_ino:
                record = before
            else:
                path.chmod(0o600)
                descriptor = os.open(path, os.O_RDWR)
                try:
                    fsio.fsync(descriptor)
                finally:
                    os.close(descriptor)
                record = FileRecord(*fsio.hash_file(path))
            assert record is not None
            records[f"generations/{generation:08d}/bm25/{path.name}"] = record
        return records


@contextmanager
def _translated() -> Iterator[None]:
    """Tantivy reports every failure as a ``ValueError``; turn a full disk into an ``OSError``."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        for number, text in _NO_SPACE.items():
            if text in str(error) or f"os error {number}" in str(error):
                raise OSError(number, text) from error
        raise
