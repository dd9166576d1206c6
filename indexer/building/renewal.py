"""Brings an index up to date with files that differ: prepares them, writes segments, and commits a generation.

    find what is new (table of the last update, else blob ids) -> prepare it in workers -> write segments
        -> update BM25 (clone, delete, add) -> commit the generation -> rewrite segments where due, commit again

New files are written next to the current generation and become visible with one rename, so an interrupted build leaves
the index as it was. This module orders the work; ``segment`` and ``generations`` own the formats.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from indexer import fsio
from indexer.building import budget, worker_pool
from indexer.building.report import COUNTS, BuildProgress, BuildReport
from indexer.building.survey import Survey, survey_afresh
from indexer.building.worker import Limits
from indexer.building.worker_pool import FileResult, Pool, SuffixFiles
from indexer.config import Settings
from indexer.data_layout import in_flight_file
from indexer.repository import policy
from indexer.repository.walk import Rules
from indexer.storage import compaction, fingerprint, segment
from indexer.storage.bm25_update import Bm25Update
from indexer.storage.catalogue import Catalogue
from indexer.storage.expiry import WORDS, holds_expired, holds_expired_words
from indexer.storage.generations import FileRecord, Manifest, SegmentRecord, Store
from indexer.storage.seen_files import SeenFiles
from indexer.storage.segment import IndexedDocument, Prepared
from indexer.storage.write_errors import dispensable, is_full
from indexer.text.tokens import Lexed
from indexer.types import Entry, Skip

IN_PROCESS_BYTES = 600_000
"""Up to this much new text, in bytes, is prepared in the building process: starting workers would take as long."""

_BATCH_BYTES = 400_000
_NOTES = 5
_PASSING = frozenset({policy.VANISHED, policy.UNREADABLE, policy.LINK, policy.SPECIAL, budget.TIME})
"""Reasons that say nothing about a file's content where reading it gives them; the look before saw a regular file."""

_FAILURES = frozenset({"timeout", "memory", "crash"})
"""Reasons that may be the machine's and not the file's: the next update tries once more."""

_FORBIDDEN = frozenset({policy.EXCLUDED, policy.ONDOLIGNORED, policy.KEY_FILE, policy.OWN_DATA})
"""Reasons for which text that is in the index already must leave the disk at once."""


class _Preparing(Protocol):
    """Prepares documents and suffix indexes: worker processes, or the building process itself."""

    def prepare(self, entries: Sequence[Entry], known: dict[str, list[str]]) -> None: ...
    def suffix(self, key: int, documents: Sequence[Lexed]) -> None: ...
    def leave(self, reason: str) -> None: ...
    def results(self) -> Iterator[FileResult | SuffixFiles]: ...
    def __enter__(self) -> "_Preparing": ...
    def __exit__(self, *_: object) -> None: ...


class Renewal:
    """One update or build, under the writer's lock.

    :param report: is completed.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        target: Store,
        report: BuildReport,
        progress: Callable[[BuildProgress], None],
        limits: Limits | None,
        command: Sequence[str] | None,
    ) -> None:
        self.root, self.settings, self.target, self.report = root, settings, target, report
        self.progress, self.limits, self.command = progress, limits or Limits(), command or worker_pool.COMMAND
        self.shape, self.choice = fingerprint.shape(), fingerprint.settings(settings)
        self.now = fsio.now_ns() // 1_000_000_000
        self.workers = 0
        self.deadline = time.monotonic() + 60 * settings.max_index_minutes

    def run(self, base: Manifest | None, seen: SeenFiles, found: Survey | None) -> Manifest:
        """Index what differs from ``base``, and return the generation of afterwards.

        :param base: the generation before; None for a build of everything.
        :param found: what differs from the table ``seen``; None where every file must be looked at.
        """
        self.seen = seen
        self.same_rules = base is not None and base.settings == self.choice
        self.catalogue = Catalogue(self.target.segments, base)
        before = self._documents_before(found)
        if found is None or before is None:
            found = survey_afresh(self.root, self.settings, seen, self.catalogue.folders())
            before = self.catalogue.live()
        self.found, self.before = found, before
        entries, over = found.entries, list[Skip]()
        if found.afresh:
            entries, over = budget.within_disk(self.root, entries, self.settings, self.target.directory)
            left = {skip.path for skip in over}
            for entry in found.entries if left else ():
                if entry.path in left:
                    seen.record(entry, None)
        self.report.skips += [*found.skips, *over]
        self.report.notes += budget.notes(over, self.settings)
        self.bm25 = Bm25Update(self.target, base)
        self.new_records: list[SegmentRecord] = []
        self.new_files: dict[str, FileRecord] = {}
        self.kept: list[IndexedDocument] = []
        todo = self._plan(entries)
        first_id, first_segment = (base.next_document, base.next_segment) if base else (0, 0)
        groups = compaction.divide([entry.size for entry in todo])
        if todo:
            self._prepare(todo, groups, first_id, first_segment)
        self.report.notes += budget.time_note(self.report.skips, self.settings)
        manifest = self._commit(base, first_id + len(todo), first_segment + len(groups))
        with dispensable(self.report.notes):
            seen.save(dataclasses.replace(found.basis, generation=manifest.digest))
        return manifest

    def _documents_before(self, found: Survey | None) -> list[IndexedDocument] | None:
        """The live documents of files that differ; None where the table names one that the index does not have."""
        if found is None:
            return None
        documents = [self.catalogue.find(path, blob) for path, blob in found.before]
        live = [document for document in documents if document is not None and document.live]
        return live if len(live) == len(documents) else None

    def _plan(self, entries: list[Entry]) -> list[Entry]:
        """Return the files to read; those that the table knows are kept or skipped at once."""
        todo = []
        for entry in entries:
            known = self.seen.lookup(entry)
            if self.report.full and isinstance(known, Skip):
                known = None
            if known is None and self.same_rules:
                known = self.catalogue.as_it_stands(self.root, entry)
            document = self.catalogue.find(entry.path, known) if isinstance(known, str) else None
            if isinstance(known, Skip):
                self.report.skips.append(known)
            elif document is not None:
                self.kept.append(document)
            else:
                todo.append(entry)
                known = None
            self.seen.record(entry, known)
        return todo

    def _prepare(self, todo: list[Entry], groups: list[range], first_id: int, first_segment: int) -> None:
        """Read, prepare and write the files ``todo``, one segment per group."""
        place = {entry.path: i for i, entry in enumerate(todo)}
        group_of = {i: number for number, group in enumerate(groups) for i in group}
        missing = [len(group) for group in groups]
        made: list[dict[int, Prepared]] = [{} for _ in groups]
        sorted_for: dict[int, list[tuple[Prepared, int]]] = {}
        total_bytes, done_bytes, done = sum(entry.size for entry in todo) or 1, 0, 0
        with self._preparing(total_bytes) as preparing:
            for batch in _batches(todo):
                preparing.prepare(batch, {entry.path: self.catalogue.blobs(entry.path) for entry in batch})
            for result in preparing.results():
                if time.monotonic() > self.deadline:
                    preparing.leave(budget.TIME)
                if isinstance(result, SuffixFiles):
                    self._write(first_segment + result.key, sorted_for.pop(result.key), result.files)
                    continue
                i = place[result.entry.path]
                number = group_of[i]
                if (prepared := self._take(result)) is not None:
                    made[number][i] = prepared
                missing[number] -= 1
                if not missing[number] and made[number]:
                    sorted_for[number] = [(made[number][i], first_id + i) for i in sorted(made[number])]
                    made[number] = {}
                    preparing.suffix(number, [prepared.lexed for prepared, _ in sorted_for[number]])
                done, done_bytes = done + 1, done_bytes + result.entry.size
                self.progress(BuildProgress("read", done, len(todo), min(99, 100 * done_bytes // total_bytes)))

    def _take(self, outcome: FileResult) -> Prepared | None:
        """Record the result for one file; return its document if it is new."""
        entry, result = outcome.entry, outcome.result
        if isinstance(result, Skip):
            self.report.skips.append(result)
            if outcome.last_words and len(self.report.notes) < _NOTES:
                self.report.notes.append(f"{entry.path} is left out ({result.reason}): {outcome.last_words}")
            if result.reason in _FAILURES:
                self.seen.record_failure(entry, result.reason)
            elif result.reason not in _PASSING:
                self.seen.record(entry, result)
            return None
        if isinstance(result, Prepared):
            self.seen.record(entry, result.blob)
            return result
        if (document := self.catalogue.find(entry.path, result)) is not None:
            self.seen.record(entry, result)
            self.kept.append(document)
        return None

    def _write(self, number: int, documents: list[tuple[Prepared, int]], suffixes: dict[str, bytes]) -> None:
        record, files = compaction.write(self.target, number, documents, suffixes)
        self.new_records.append(record)
        self.new_files.update(files)
        for prepared, id in documents:
            self.bm25.add(id, prepared.terms)
            self.report.count(1, len(prepared.spans), prepared.lines, prepared.size, prepared.masked)
        self.report.added += len(documents)

    def _commit(self, base: Manifest | None, next_document: int, next_segment: int) -> Manifest:
        """Commit a new generation if anything changed, and another one if segments are rewritten."""
        alive = {document.id for document in self.kept}
        removed = [document for document in self.before if document.id not in alive]
        revived = [document for document in self.kept if not document.live]
        if self.found.afresh:
            for document in self.before:
                self.report.count(1, document.chunks, document.lines, document.size, document.masked)
        elif base is not None:
            self.report.count(*(base.counts[name] for name in COUNTS))
        for document in removed:
            self.bm25.delete(document.id)
            self.report.count(-1, document.chunks, document.lines, document.size, document.masked)
        for document in revived:
            self.bm25.revive(self.catalogue.segment(document.segment), document)
            self.report.count(1, document.chunks, document.lines, document.size, document.masked)
        self.report.removed, self.report.revived = len(removed), len(revived)
        purge = base is None or base.settings != self.choice or self._holds_forbidden(removed, alive)
        stays = not (self.report.added or removed or revived or purge)
        stays = stays and base is not None and base.root == str(self.root) and not holds_expired(base, self.now)
        if base is not None and stays and self.target.names(base):
            return base
        self.report.changed = True
        changed = self.catalogue.with_changes(removed, revived, self.now)
        records = (*changed, *sorted(self.new_records, key=lambda r: r.number))
        prefixes = tuple(f"segments/{record.number:08d}/" for record in records)
        files = {name: record for name, record in (base.files if base else {}).items() if name.startswith(prefixes)}
        manifest = Manifest(
            generation=self.target.next_generation(),
            root=str(self.root),
            shape=self.shape,
            settings=self.choice,
            next_document=next_document,
            next_segment=next_segment,
            segments=records,
            files={**files, **self.new_files},
            counts={**{name: getattr(self.report, name) for name in COUNTS}, WORDS: self._words_since(base, removed)},
        )
        manifest = self.bm25.commit(manifest, base)
        self.target.collect([manifest] if purge or base is None else [manifest, base])
        try:
            return self._compact(manifest, purge=purge)
        except OSError as error:
            if purge or not is_full(error):
                raise
            self.target.sweep()
            self.report.notes.append("no space is left to make the index smaller; a later update tries again.")
            return manifest

    def _words_since(self, base: Manifest | None, removed: list[IndexedDocument]) -> int:
        """When the first document was deleted whose words the index for search still has, seconds since 1970."""
        before = base.counts.get(WORDS, 0) if base is not None else 0
        return before or (self.now if removed else 0)

    def _holds_forbidden(self, removed: list[IndexedDocument], alive: set[int]) -> bool:
        """Whether the segments hold text that was deleted and that settings or ignore files exclude now.

        As long as the rules stay the same, nothing that they allowed before is forbidden.
        """
        if not self.found.rules_changed:
            return False
        rules = Rules(self.root, self.settings)
        return any(
            rules.reason(document.path) in _FORBIDDEN
            for document in self.catalogue.deleted(removed)
            if document.id not in alive
        )

    def _compact(self, manifest: Manifest, *, purge: bool) -> Manifest:
        """Rewrite the segments for which that is due, as one more generation."""
        numbers = compaction.due(manifest.segments, self.now, purge=purge)
        refill = holds_expired_words(manifest, self.now) or (purge and bool(numbers or manifest.counts.get(WORDS)))
        if not numbers and not refill:
            return manifest
        self.progress(BuildProgress("compact", 0, len(numbers), 99))
        records, files = compaction.rewrite(self.target, manifest, numbers)
        newer = dataclasses.replace(
            manifest,
            generation=manifest.generation + 1,
            segments=records,
            files=files,
            counts={**manifest.counts, **({WORDS: 0} if refill else {})},
            next_segment=max([manifest.next_segment, *(record.number + 1 for record in records)]),
        )
        newer = self._bm25_after(newer, manifest, again=refill).commit(newer, manifest)
        self.target.collect([newer] if purge or holds_expired(manifest, self.now) else [newer, manifest])
        return newer

    def _bm25_after(self, newer: Manifest, manifest: Manifest, *, again: bool) -> Bm25Update:
        """The BM25 index after segments were rewritten: the one before, which keeps the terms of deleted documents.

        :param again: make it again, so that these terms are gone from the disk as well.
        """
        if not again:
            return Bm25Update(self.target, manifest)
        fresh = Bm25Update(self.target, None)
        catalogue = Catalogue(self.target.segments, newer)
        for document in catalogue.live():
            fresh.revive(catalogue.segment(document.segment), document)
        return fresh

    def _preparing(self, total_bytes: int) -> _Preparing:
        embed = segment.has_encoder()
        marker = in_flight_file(self.target.directory)
        if total_bytes <= IN_PROCESS_BYTES and not marker.exists():
            from indexer.building.in_process import InProcess

            return InProcess(self.root, self.settings, marker, embed=embed)
        fsio.unlink(marker)
        self.workers, limits = budget.within_memory(total_bytes // IN_PROCESS_BYTES + 1, self.settings, self.limits)
        return Pool(self.root, self.settings, self.workers, limits, embed=embed, command=self.command)


def _batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Runs of files that one worker is given at a time."""
    batch: list[Entry] = []
    filled = 0
    for entry in entries:
        batch.append(entry)
        filled += entry.size
        if filled >= _BATCH_BYTES:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch
