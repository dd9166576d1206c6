"""Rewrites segments: joins many small ones, and drops deleted documents.

Documents keep their ids, texts, chunks and vectors, so the BM25 index stays as it is and no file is read or embedded
again; only the suffix index is sorted again. This module decides when that is due and does it; ``build`` commits.
"""

from collections.abc import Iterable, Sequence

from indexer.storage import generations, segment
from indexer.storage.catalogue import Catalogue
from indexer.storage.expiry import is_expired
from indexer.storage.generations import FileRecord, Manifest, SegmentRecord, Store
from indexer.storage.segment import Prepared

MANY_SMALL = 6
DEAD_SHARE = 0.25
SEGMENT_BYTES = 14_000_000
"""Bytes of text of a full segment: large enough for few searches per query (a completion searches every segment),
small enough that an update which rewrites one is not felt."""

FEW_SEGMENTS = 8
LARGEST_SEGMENT_BYTES = 60_000_000
"""Bytes of text of a segment where ``FEW_SEGMENTS`` would be larger: some 16 million tokens, whose positions fit into
three bytes, and which are sorted in 450 MB. With 24 million bytes a key in the Linux kernel took 12 ms instead of 9
(median)."""


def divide(sizes: Sequence[int]) -> list[range]:
    """Divide documents into runs, one per segment. This depends on their sizes alone, so every build divides alike."""
    limit = min(max(SEGMENT_BYTES, sum(sizes) // FEW_SEGMENTS + 1), LARGEST_SEGMENT_BYTES)
    runs, first, filled = [], 0, 0
    for place, size in enumerate(sizes):
        if filled and filled + size > limit:
            runs.append(range(first, place))
            first, filled = place, 0
        filled += size
    if len(sizes) > first:
        runs.append(range(first, len(sizes)))
    return runs


def due(records: Iterable[SegmentRecord], now: int, *, purge: bool) -> list[int]:
    """Numbers of the segments to rewrite, or to drop because all their documents are deleted.

    :param now: seconds since 1970. :param purge: deleted documents must go now, because settings exclude them.
    """
    records = list(records)
    small = [record for record in records if record.bytes < segment.SMALL_BYTES]
    chosen = {record.number for record in small} if len(small) > MANY_SMALL else set()
    for record in records:
        rotten = record.bytes >= segment.SMALL_BYTES and record.dead_bytes > DEAD_SHARE * record.bytes
        if rotten or is_expired(record, now) or (purge and record.dead):
            chosen.add(record.number)
    return sorted(chosen)


def rewrite(
    target: Store, manifest: Manifest, numbers: Sequence[int]
) -> tuple[tuple[SegmentRecord, ...], dict[str, FileRecord]]:
    """Write the live documents of the segments ``numbers`` into new segments.

    :returns: the records of all segments afterwards, and those of the files below ``segments/``.
    """
    catalogue = Catalogue(target.segments, manifest)
    documents: list[tuple[Prepared, int]] = []
    for number in numbers:
        reader = catalogue.segment(number)
        vectors, lexed = reader.vectors(), reader.lexed()
        documents += [
            (reader.prepared(document.local, vectors, lexed[document.local]), document.id)
            for document in reader.documents
            if document.live
        ]
    documents.sort(key=lambda pair: pair[0].path)
    kept = tuple(record for record in manifest.segments if record.number not in numbers)
    prefixes = tuple(f"segments/{record.number:08d}/" for record in kept)
    files = {name: record for name, record in manifest.files.items() if name.startswith(prefixes)} if prefixes else {}
    records = []
    for place, run in enumerate(divide([prepared.size for prepared, _ in documents])):
        part = [documents[i] for i in run]
        built = segment.suffix_files([prepared.lexed for prepared, _ in part])
        record, written = write(target, manifest.next_segment + place, part, built)
        records.append(record)
        files.update(written)
    return (*kept, *records), files


def write(
    target: Store, number: int, documents: Sequence[tuple[Prepared, int]], suffix_files: dict[str, bytes]
) -> tuple[SegmentRecord, dict[str, FileRecord]]:
    """Write one segment durably and publish it.

    :param documents: with their ids. :returns: its record and those of its files.
    """
    staged = target.stage(target.segments, number)
    prepared = [document for document, _ in documents]
    segment.write(staged, prepared, [id for _, id in documents], suffix_files)
    final = target.publish(staged)
    record = SegmentRecord(number, len(prepared), sum(document.size for document in prepared))
    return record, generations.record_files(target.directory, final)
