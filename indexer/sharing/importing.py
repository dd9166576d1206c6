"""Imports an exported index: copies what this machine lacks, checks every byte, and commits it as one more generation.

An update with ``building.build`` must follow: it indexes what differs between the exported files and the working tree.
The index that was there stays in use until the imported one is complete, and whole files that it shares with the export
are not copied again.
"""

import contextlib
import dataclasses
import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import index_directory, repository_directory
from indexer.errors import IndexDamaged, IndexMissing, IndexTooNew, UserError
from indexer.repository import git
from indexer.sharing.manifest import ExportManifest, read_manifest
from indexer.sharing.places import Place
from indexer.storage import adoption, fingerprint
from indexer.storage.generations import FileRecord, Manifest, SegmentRecord, Store
from indexer.storage.write_errors import explained

_ATTEMPTS: Final = 3
"""How often an import begins again because an export replaced what it was reading."""

_AGAIN: Final = "export the index again, or copy the folder again"


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    :param taken, taken_bytes: files that were copied, and their size. :param had: files that were here already.
    """

    place: str
    commit: str
    taken: int = 0
    taken_bytes: int = 0
    had: int = 0
    notes: list[str] = field(default_factory=list)


class _Gone(Exception):
    """A file that the manifest lists is missing."""


def import_index(settings: Settings, root: Path, place: Place) -> ImportReport:
    """Make the exported index that of ``root``; an update must follow.

    :raises UserError: the export is not whole, of another version or another repository, or cannot be reached; the
        index is as it was.
    """
    repository_directory(settings, root)
    target = Store(index_directory(settings, root))
    export = read_manifest(place)
    for _ in range(_ATTEMPTS):
        _check_fits(export, root, place)
        report = ImportReport(place.name, export.commit)
        try:
            with target.writing():
                _Import(target, root, place, export, report).run()
                adoption.remember(settings, root)
        except _Gone as gone:
            newer = read_manifest(place)
            if newer == export:
                raise UserError(f"the export in {place.name} is not complete: {gone} is missing", _AGAIN) from None
            export = newer
            continue
        return report
    raise UserError(f"{place.name} is replaced again and again while it is read", "import it when that has ended")


def _check_fits(export: ExportManifest, root: Path, place: Place) -> None:
    """Refuse the index of another version of Ondol or of another repository."""
    if export.index.shape != fingerprint.shape():
        raise UserError(
            f"another version of Ondol made the export in {place.name}",
            "install the version that exports, or index here with `ondol index`",
        )
    if git.is_repository(root) != bool(export.commit):
        raise _other(export, place, "one of the two is not a git repository")
    if not export.commit:
        if export.repository != root.name:
            raise _other(export, place, f"this folder is called {root.name}")
    elif not git.has_commit(root, export.commit):
        # A shallow clone does not know the first commit.
        first = adoption.first_commit(root)
        if first != export.first_commit or git.is_shallow(root):
            raise _other(export, place, f"its commit {export.commit[:12]} is not in this one")


def _other(export: ExportManifest, place: Place, why: str) -> UserError:
    return UserError(
        f"the export in {place.name} is of another repository, {export.repository} ({why})",
        "name the export of this repository, or run `git fetch` if the export is newer than this clone",
    )


class _Import:
    """One import, under the writer's lock."""

    def __init__(self, target: Store, root: Path, place: Place, export: ExportManifest, report: ImportReport) -> None:
        self._target, self._root, self._place = target, root, place
        self._index, self._report = export.index, report
        self._base = self._current()
        self._published: list[Path] = []
        self._have = _by_hash(self._base) if self._base else {}
        self._total = sum(size for name, size in export.names.items() if name not in self._have)

    def run(self) -> None:
        """Copy what is missing and commit the generation."""
        self._check_space()
        try:
            staged, manifest = self._generation()
        except BaseException:
            for directory in self._published:
                with contextlib.suppress(OSError):
                    fsio.remove_tree(directory)
            raise
        self._target.commit(staged, manifest, self._base)
        self._target.collect([manifest, self._base] if self._base else [manifest])

    def _generation(self) -> tuple[Path, Manifest]:
        """Take all files; return the unfinished generation and its manifest."""
        numbers, files = self._segments()
        generation = self._target.next_generation()
        staged = self._target.stage(self._target.generations, generation)
        fsio.mkdir(staged / "bm25")
        prefix = f"generations/{self._index.generation:08d}/"
        for name, record in self._index.files.items():
            if name.startswith(prefix):
                inside = name.removeprefix(prefix)
                self._take(record, staged / inside)
                files[f"generations/{generation:08d}/{inside}"] = record
        fsio.fsync_dir(staged / "bm25")
        manifest = dataclasses.replace(
            self._index,
            generation=generation,
            root=str(self._root),
            segments=tuple(
                dataclasses.replace(record, number=numbers[record.number]) for record in self._index.segments
            ),
            next_segment=self._target.next_segment(),
            files=files,
        )
        return staged, manifest

    def _current(self) -> Manifest | None:
        """The index that is here, if it is whole."""
        try:
            return self._target.open().manifest
        except (IndexMissing, IndexDamaged, IndexTooNew):
            return None

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._target.directory).free
        if self._total > free:
            raise UserError(
                f"the export in {self._place.name} needs {self._total >> 20} MiB, and {self._target.directory} has "
                f"{free >> 20} MiB left",
                "free some space, or choose another disk with --data-dir",
            )

    def _segments(self) -> tuple[dict[int, int], dict[str, FileRecord]]:
        """Take the segments.

        :returns: for each number in the export the number here, and the records of the files here.
        """
        numbers: dict[int, int] = {}
        files: dict[str, FileRecord] = {}
        mine = _segments_by_content(self._base) if self._base else {}
        free = max(self._target.next_segment(), self._base.next_segment if self._base else 0)
        for segment in self._index.segments:
            content = _content(self._index, segment)
            number = mine.get(frozenset(content.items()))
            if number is None:
                number, free = free, free + 1
                staged = self._target.stage(self._target.segments, number)
                for name, record in content.items():
                    self._take(record, staged / name)
                self._published.append(self._target.publish(staged))
            else:
                self._report.had += len(content)
            numbers[segment.number] = number
            files |= {f"segments/{number:08d}/{name}": record for name, record in content.items()}
        return numbers, files

    def _take(self, record: FileRecord, path: Path) -> None:
        """Link the file that is here already, or copy it from the export and check every byte."""
        here = self._have.get(record.sha256)
        if here is not None:
            fsio.link(self._target.directory / here, path)
            self._report.had += 1
            return
        digest, size = hashlib.sha256(), 0
        with explained(self._target.directory):
            descriptor = fsio.create(path)
            try:
                for piece in self._place.pieces(record.sha256):
                    size += len(piece)
                    if size > record.size:
                        break
                    digest.update(piece)
                    fsio.write(descriptor, piece)
                fsio.fsync(descriptor)
            except FileNotFoundError as error:
                raise _Gone(record.sha256) from error
            finally:
                os.close(descriptor)
        if (size, digest.hexdigest()) != (record.size, record.sha256):
            raise UserError(f"a file of the export in {self._place.name} is not what its name says", _AGAIN)
        self._report.taken += 1
        self._report.taken_bytes += size


def _content(manifest: Manifest, segment: SegmentRecord) -> dict[str, FileRecord]:
    """The files of a segment by their names in it."""
    prefix = f"segments/{segment.number:08d}/"
    return {name.removeprefix(prefix): record for name, record in manifest.files.items() if name.startswith(prefix)}


def _segments_by_content(manifest: Manifest) -> dict[frozenset[tuple[str, FileRecord]], int]:
    return {frozenset(_content(manifest, segment).items()): segment.number for segment in manifest.segments}


def _by_hash(manifest: Manifest) -> dict[str, str]:
    """The files of a generation that never change, by their hash."""
    return {record.sha256: name for name, record in manifest.files.items()}
