"""Builds or updates an index with one function: an update is a build that finds most documents already there.

    look for what differs (table of the last update, else blob ids) -> prepare it in workers -> write segments
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
from indexer.building.report import BuildProgress, BuildReport
from indexer.building.survey import Survey, survey, survey_afresh
from indexer.building.worker import Limits
from indexer.building.worker_pool import FileResult, Pool, SuffixFiles
from indexer.config import Settings
from indexer.data_layout import (
    build_report_file,
    in_flight_file,
    index_directory,
    repository_directory,
    seen_files_file,
)
from indexer.errors import IndexDamaged, IndexMissing, IndexTooNew
from indexer.repository import policy
from indexer.repository.walk import Rules
from indexer.storage import adoption, compaction, fingerprint, generations, segment
from indexer.storage.bm25_update import Bm25Update
from indexer.storage.catalogue import Catalogue
from indexer.storage.generations import FileRecord, Manifest, SegmentRecord, Store
from indexer.storage.seen_files import SeenFiles
from indexer.storage.segment import IndexedDocument, Prepared
from indexer.text.tokens import Lexed
from indexer.types import Entry, Skip

IN_PROCESS_BYTES = 600_000
"""Up to this much new text, in bytes, is prepared in the building process: starting workers would take as long."""

_BATCH_BYTES = 400_000
_NOTES = 5
_PASSING = frozenset({"vanished", "unreadable", budget.TIME})
"""Reasons that say nothing about a file's content."""

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


def build(
    root: Path,
    settings: Settings,
    progress: Callable[[BuildProgress], None] | None = None,
    *,
    full: bool = False,
    limits: Limits | None = None,
    command: Sequence[str] = worker_pool.COMMAND,
) -> BuildReport:
    """Update the index of ``root``, or build it.

    :param progress: called for every step.
    :param full: rebuild everything from scratch.
    :param command: the command line of a worker process.
    :raises Locked: another process is writing. :raises IndexTooNew: a later version of Ondol wrote the index.
    :raises UserError: the repository cannot be read, or no space is left; the index is as it was.
    """
    started = time.monotonic()
    repository_directory(settings, root)
    target = Store(index_directory(settings, root))
    report = BuildReport(str(root), str(target.directory), full=full, notes=adoption.adopt(settings, root))
    with target.writing():
        _Build(root, settings, target, report, progress or (lambda _: None), limits or Limits(), command).run()
        adoption.remember(settings, root)
    report.seconds = time.monotonic() - started
    return report


class _Build:
    """One build, under the writer's lock."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        target: Store,
        report: BuildReport,
        progress: Callable[[BuildProgress], None],
        limits: Limits,
        command: Sequence[str],
    ) -> None:
        self.root, self.settings, self.target, self.report = root, settings, target, report
        self.progress, self.limits, self.command = progress, limits, command
        self.shape, self.choice = fingerprint.shape(), fingerprint.settings(settings)
        self.now = fsio.now_ns() // 1_000_000_000
        self.workers = 0
        self.deadline = time.monotonic() + 60 * settings.max_index_minutes

    def run(self) -> None:
        base = self._base()
        self.same_rules = base is not None and base.settings == self.choice
        self.catalogue = Catalogue(self.target.segments, base)
        self.seen = SeenFiles(seen_files_file(self.target.directory), self.shape + self.choice)
        self.progress(BuildProgress("walk", 0, 0, 0))
        self.found = self._survey(base)
        entries, over = self.found.entries, list[Skip]()
        if self.found.afresh:
            entries, over = budget.within_disk(self.root, entries, self.settings, self.target.directory)
            left = {skip.path for skip in over}
            for entry in self.found.entries if left else ():
                if entry.path in left:
                    self.seen.record(entry, None)
        self.report.skips += [*self.found.skips, *over]
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
        self.report.skips.sort(key=lambda skip: (skip.path, skip.reason))
        manifest = self._commit(base, first_id + len(todo), first_segment + len(groups))
        self.seen.save(dataclasses.replace(self.found.basis, generation=manifest.digest))
        self._describe(manifest)

    def _base(self) -> Manifest | None:
        """The generation to start from, or None for a build of everything."""
        try:
            opened = self.target.open()
        except IndexMissing:
            self.report.full = True
            return None
        except IndexTooNew:
            if not self.report.full:
                raise
            return None
        except IndexDamaged as error:
            self.report.full = True
            self.report.notes.append(f"{error.what}; it is rebuilt.")
            return None
        if opened.problem:
            self.report.notes.append(opened.problem)
        if self.report.full:
            return None
        if opened.manifest.shape != self.shape:
            self.report.full = True
            self.report.notes.append("the index was built by another version of Ondol; it is rebuilt.")
            return None
        return opened.manifest

    def _survey(self, base: Manifest | None) -> Survey:
        """Look for what changed since ``base``, or at every file where the table does not say it."""
        found = None
        if base is not None and self.same_rules and self.seen.basis.generation == base.digest:
            found = survey(self.root, self.settings, self.seen)
        if found is not None and not budget.is_over(found.size, self.settings):
            before = [self.catalogue.find(path, blob) for path, blob in found.before]
            self.before = [document for document in before if document is not None and document.live]
            if len(self.before) == len(before):
                return found
        self.before = self.catalogue.live()
        return survey_afresh(self.root, self.settings, self.seen)

    def _plan(self, entries: list[Entry]) -> list[Entry]:
        """Return the files to read; those that the table knows are kept or skipped at once."""
        todo = []
        for entry in entries:
            known = self.seen.lookup(entry)
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
            if result.reason not in _PASSING:
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
            self._count(1, len(prepared.spans), prepared.lines, prepared.size, prepared.masked)
        self.report.added += len(documents)

    def _commit(self, base: Manifest | None, next_document: int, next_segment: int) -> Manifest:
        """Commit a new generation if anything changed, and another one if segments are rewritten."""
        alive = {document.id for document in self.kept}
        removed = [document for document in self.before if document.id not in alive]
        revived = [document for document in self.kept if not document.live]
        if self.found.afresh:
            for document in self.before:
                self._count(1, document.chunks, document.lines, document.size, document.masked)
        elif base is not None:
            self._count(*(base.counts[name] for name in _COUNTS))
        for document in removed:
            self.bm25.delete(document.id)
            self._count(-1, document.chunks, document.lines, document.size, document.masked)
        for document in revived:
            self.bm25.revive(self.catalogue.segment(document.segment), document)
            self._count(1, document.chunks, document.lines, document.size, document.masked)
        self.report.removed, self.report.revived = len(removed), len(revived)
        purge = base is None or base.settings != self.choice or self._holds_forbidden(removed, alive)
        stays = not (self.report.added or removed or revived or purge)
        if base is not None and stays and base.root == str(self.root):
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
            counts={name: getattr(self.report, name) for name in _COUNTS},
        )
        manifest = self.bm25.commit(manifest, base)
        self.target.collect([manifest] if purge or base is None else [manifest, base])
        return self._compact(manifest, purge=purge)

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
        if not numbers:
            return manifest
        self.progress(BuildProgress("compact", 0, len(numbers), 99))
        records, files = compaction.rewrite(self.target, manifest, numbers)
        newer = dataclasses.replace(
            manifest,
            generation=manifest.generation + 1,
            segments=records,
            files=files,
            next_segment=max([manifest.next_segment, *(record.number + 1 for record in records)]),
        )
        newer = self._bm25_after(newer, manifest, purge=purge).commit(newer, manifest)
        expired = any(
            record.dead and self.now - record.dead_since > compaction.DEAD_SECONDS for record in manifest.segments
        )
        self.target.collect([newer] if purge or expired else [newer, manifest])
        return newer

    def _bm25_after(self, newer: Manifest, manifest: Manifest, *, purge: bool) -> Bm25Update:
        """The BM25 index after segments were rewritten: the one before, which keeps the terms of deleted documents.

        :param purge: make it again, so that these terms are gone from the disk as well.
        """
        if not purge:
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

    def _count(self, files: int, *more: int) -> None:
        """Count documents in the report, in the order of ``_COUNTS``; of one that is gone ``files`` is -1."""
        sign = -1 if files < 0 else 1
        for name, number in zip(_COUNTS, (files, *(sign * one for one in more)), strict=True):
            setattr(self.report, name, getattr(self.report, name) + number)

    def _describe(self, manifest: Manifest) -> None:
        """Completes the report and keeps it for ``ondol doctor``."""
        self.report.generation = manifest.generation
        self.report.memory_bytes = budget.memory_used(self.workers)
        self.report.index_bytes = self.target.size(manifest)
        skips = [[skip.path, skip.reason] for skip in self.report.skips]
        generations.write_cache(
            build_report_file(self.target.directory), {**self.report.as_dict(), "when": self.now, "skips": skips}
        )
        self.progress(BuildProgress("done", self.report.files, self.report.files, 100))


_COUNTS = ("files", "chunks", "lines", "text_bytes", "masked")


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
