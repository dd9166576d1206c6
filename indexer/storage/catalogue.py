"""Every document in the segments of a generation, live or deleted, by path and blob id.

A document that a segment already holds is made live again instead of being prepared again, so switching branches is
cheap. This module writes nothing.
"""

import dataclasses
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

from indexer.repository.git import blob_id
from indexer.repository.policy import read_bytes
from indexer.storage.generations import Manifest, SegmentRecord
from indexer.storage.segment import IndexedDocument, Segment, stored_names
from indexer.types import Entry

_FEW: Final = 32
"""Paths that are looked for one by one before the documents of all segments are read, which takes 8 us each."""


class Catalogue:
    """The documents of a manifest's segments. A segment is opened when one of its documents is asked for.

    :param manifest: None for an index that does not exist yet.
    """

    def __init__(self, segments: Path, manifest: Manifest | None) -> None:
        self.records = {record.number: record for record in (manifest.segments if manifest else ())}
        self._directory = segments
        self._opened: dict[int, Segment] = {}
        self._by_path: dict[str, dict[str, IndexedDocument]] = {}
        self._whole = False

    def segment(self, number: int) -> Segment:
        """The segment of this number."""
        if number not in self._opened:
            self._opened[number] = Segment(self._place(number), number, self.records[number].dead)
        return self._opened[number]

    def find(self, path: str, blob: str) -> IndexedDocument | None:
        """The document with this path and content, live or deleted."""
        return self._of(path).get(blob)

    def blobs(self, path: str) -> list[str]:
        """The blob ids that the index has for a path."""
        return list(self._of(path))

    def _of(self, path: str) -> dict[str, IndexedDocument]:
        """The documents of a path by blob id."""
        if path not in self._by_path and not self._whole:
            self._whole = len(self._by_path) >= _FEW
            for number in self.records:
                if self._whole or json.dumps(path).encode() in self._names[number]:
                    for document in self.segment(number).documents:
                        if self._whole or document.path == path:
                            self._by_path.setdefault(document.path, {})[document.blob] = document
            self._by_path.setdefault(path, {})
        return self._by_path.get(path, {})

    @cached_property
    def _names(self) -> dict[int, bytes]:
        """The names of each segment's documents as they are stored."""
        return {number: stored_names(self._place(number)) for number in self.records}

    def _place(self, number: int) -> Path:
        return self._directory / f"{number:08d}"

    def as_it_stands(self, root: Path, entry: Entry) -> str | None:
        """The blob id of a file that has a document for its content of now, live or deleted; else None.

        Where the settings are those of the index, such a file needs no other check.
        """
        known = self._of(entry.path)
        data = read_bytes(root, entry.path, entry.size) if known else ""
        blob = blob_id(data) if isinstance(data, bytes) else ""
        return blob if blob in known else None

    def live(self) -> list[IndexedDocument]:
        """The live documents of the manifest."""
        return [document for number in self.records for document in self.segment(number).documents if document.live]

    def folders(self) -> set[str]:
        """The folders of all documents, deleted ones included."""
        return {
            document.path.rpartition("/")[0] for number in self.records for document in self.segment(number).documents
        }

    def deleted(self, removed: Iterable[IndexedDocument]) -> list[IndexedDocument]:
        """The documents that are deleted when ``removed`` are deleted too."""
        dead = [self.segment(number).documents[one] for number, record in self.records.items() for one in record.dead]
        return [*dead, *removed]

    def with_changes(
        self, removed: Iterable[IndexedDocument], revived: Iterable[IndexedDocument], now: int
    ) -> tuple[SegmentRecord, ...]:
        """The records of the segments when some live documents are deleted and some deleted ones are live again.

        :param now: seconds since 1970, recorded as the time of a first deletion.
        """
        dead = {number: set(record.dead) for number, record in self.records.items()}
        sizes = {number: record.dead_bytes for number, record in self.records.items()}
        for document in removed:
            dead[document.segment].add(document.local)
            sizes[document.segment] += document.size
        for document in revived:
            dead[document.segment].discard(document.local)
            sizes[document.segment] -= document.size
        return tuple(
            dataclasses.replace(
                record,
                dead=tuple(sorted(dead[number])),
                dead_bytes=sizes[number],
                dead_since=(record.dead_since or now) if dead[number] else 0,
            )
            for number, record in self.records.items()
        )
