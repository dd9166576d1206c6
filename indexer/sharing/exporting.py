"""Exports an index for a team: made once, for example every night in CI, and imported on each laptop.

An export holds the files of one generation of the index, so secrets are masked and excluded files are not in it. Files
that the place has already are not written again. The manifest is written last; until then the export before is valid.
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.errors import IndexDamaged, UserError
from indexer.repository import git
from indexer.sharing.manifest import ExportManifest, read_manifest
from indexer.sharing.places import Folder, Place
from indexer.storage import adoption
from indexer.storage.catalogue import Catalogue
from indexer.storage.generations import Store

_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did.

    :param written: files that were written. :param written_bytes: their size. :param bytes: size of the whole export.
    """

    place: str
    commit: str
    uncommitted: int
    files: int
    bytes: int
    written: int
    written_bytes: int
    removed: int


def check_place(settings: Settings, root: Path, place: Place) -> None:
    """Refuse a folder in which an export would be among files of another kind.

    :raises UserError: it lies in the data folder, in the repository, or in another one.
    """
    if not isinstance(place, Folder):
        return
    folder = fsio.real_path(place.folder)
    cure = "name a folder of its own"
    if folder.is_relative_to(fsio.real_path(settings.data_dir)):
        raise UserError(f"{folder} lies in the data folder, where Ondol keeps its own index", cure)
    if folder.is_relative_to(fsio.real_path(root)):
        raise UserError(f"{folder} lies in the repository itself, whose index would hold the export", cure)
    there = folder
    while not there.is_dir() and there != there.parent:
        there = there.parent
    other = git.find_root(there)
    # Some keep their home folder in git; a share in it is no part of what they work on.
    if git.is_repository(other) and other != fsio.real_path(Path.home()):
        raise UserError(f"{folder} lies in the repository {other}, whose index would hold the export", cure)


def export_index(settings: Settings, root: Path, place: Place) -> ExportReport:
    """Export the index of ``root`` as it is; build or update it first.

    :raises UserError: there is no whole index, or the place cannot be used. :raises Locked: another process writes
        the index or exports to the place.
    """
    check_place(settings, root, place)
    source = Store(index_directory(settings, root))
    with source.writing(), place.writing():
        index = source.open().manifest
        before = _earlier(place)
        commit = git.head(root) if git.is_repository(root) else None
        manifest = ExportManifest(
            repository=root.name,
            first_commit=adoption.first_commit(root),
            commit=commit or "",
            uncommitted=_uncommitted(root, commit, Catalogue(source.segments, index)) if commit else 0,
            made=fsio.now_ns() // 1_000_000_000,
            before=tuple(sorted(before.names)) if before else (),
            index=dataclasses.replace(index, root=""),
        )
        there = place.sizes()
        missing = {
            record.sha256: source.directory / name
            for name, record in index.files.items()
            if there.get(record.sha256) != record.size
        }
        for sha256, path in missing.items():
            place.add(sha256, _verified(path, sha256))
        place.replace_manifest(manifest.encode())
        kept = {*manifest.names, *manifest.before}
        stale = [name for name in there if name not in kept]
        for name in stale:
            place.remove(name)
    sizes = manifest.names
    written = sum(sizes[sha256] for sha256 in missing)
    return ExportReport(
        place.name,
        manifest.commit,
        manifest.uncommitted,
        len(sizes),
        sum(sizes.values()),
        len(missing),
        written,
        len(stale),
    )


def _uncommitted(root: Path, commit: str, catalogue: Catalogue) -> int:
    """How many documents are not what the commit has at their place; git compares no files, so no filter runs."""
    committed = {entry.path: entry.blob for entry in git.ls_tree(root, commit)}
    return sum(committed.get(document.path) != document.blob for document in catalogue.live())


def _earlier(place: Place) -> ExportManifest | None:
    """The export that the place has, if it is one of Ondol's that can be read.

    Where it cannot be read, its files are removed after this export, as nobody can use them.
    """
    try:
        return read_manifest(place)
    except UserError:
        return None


def _verified(path: Path, sha256: str) -> Iterator[bytes]:
    """The content of a file of the index. :raises IndexDamaged: it is not what the manifest says."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != sha256:
        raise IndexDamaged(f"{path} of the index does not match its hash", "rebuild it with `ondol index --full`")
