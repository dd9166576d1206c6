"""Every document in the segments of a generation, live or deleted, by path and blob id.

A document that a segment already holds is made live again instead of being prepared again, so switching branches is
cheap. This module writes nothing.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from indexer.repository.git import blob_id
from indexer.repository.policy import read_bytes
from indexer.storage.generations import Manifest, SegmentRecord
from indexer.storage.segment import IndexedDocument, Segment
from indexer.types import Entry


class Catalogue:
    """The documents of a manifest's segments.

    :param manifest: None for an index that does not exist yet.
    """

    def __init__(self, segments: Path, manifest: Manifest | None) -> None:
        self.records = {record.number: record for record in (manifest.segments if manifest else ())}
        self.segments = {
            number: Segment(segments / f"{number:08d}", number, record.dead) for number, record in self.records.items()
        }
        self._by_path: dict[str, dict[str, IndexedDocument]] = {}
        for segment in self.segments.values():
            for document in segment.documents:
                self._by_path.setdefault(document.path, {})[document.blob] = document

    def find(self, path: str, blob: str) -> IndexedDocument | None:
        """The document with this path and content, live or deleted."""
        return self._by_path.get(path, {}).get(blob)

    def blobs(self, path: str) -> list[str]:
        """The blob ids that the index has for a path."""
        return list(self._by_path.get(path, ()))

    def as_it_stands(self, root: Path, entry: Entry) -> str | None:
        """The blob id of a file that has a document for its content of now, live or deleted; else None.

        Where the settings are those of the index, such a file needs no other check.
        """
        known = self._by_path.get(entry.path)
        data = read_bytes(root, entry.path, entry.size) if known else ""
        blob = blob_id(data) if isinstance(data, bytes) else ""
        return blob if known and blob in known else None

    def live(self) -> list[IndexedDocument]:
        """The live documents of the manifest."""
        return [document for segment in self.segments.values() for document in segment.documents if document.live]

    def with_live(self, wanted: Iterable[IndexedDocument], now: int) -> tuple[SegmentRecord, ...]:
        """The records of the segments when exactly ``wanted`` are live.

        :param now: seconds since 1970, recorded as the time of a first deletion.
        """
        alive = {(document.segment, document.local) for document in wanted}
        records = []
        for number, record in self.records.items():
            documents = self.segments[number].documents
            dead = [document for document in documents if (number, document.local) not in alive]
            records.append(
                dataclasses.replace(
                    record,
                    dead=tuple(document.local for document in dead),
                    dead_bytes=sum(document.size for document in dead),
                    dead_since=(record.dead_since or now) if dead else 0,
                )
            )
        return tuple(records)
