"""Notices changes of a repository's files without the help of the editor, at a bounded cost.

A folder's time changes when a name comes or goes, a file's when it is written. Each look checks the next of both, as
many as its budget allows, so that a repository of any size costs the same; git's own files are checked every time. Only
folders that hold indexed files are known at first, and those directly below them.

A look belongs on a background thread: a slow disk must not hold up a keystroke. Knows neither index nor protocol.
"""

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FOLDERS_KEPT: Final = 20_000

Stamp = tuple[int, ...]
GONE: Final[Stamp] = ()
"""Stands for a file that was looked at and is not there."""

_GONE: Final = hash(GONE)


@dataclass
class Found:
    """What one look found; paths are relative to the root, POSIX.

    :param gone: files and folders that are no longer there.
    :param changed: files and folders that are new or were written.
    :param checkout: whether git's own files changed: a commit, another branch, a stash.
    """

    gone: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    checkout: bool = False


@dataclass(slots=True)
class _Folder:
    """A folder as it was seen last; its names are listed again only when its time has changed.

    :param names: joined by ``/``, which is in none: a set of them takes five times as much, in each window.
    """

    time_ns: int
    names: str


class FolderPoll:
    """Looks at one repository again and again, on one thread at a time.

    :param wanted: whether a file of this name is of interest; a folder is asked about with a name inside it.
    :param git_files: the files of git to check at each look.
    """

    def __init__(self, root: Path, wanted: Callable[[str], bool], git_files: tuple[Path, ...]) -> None:
        self._root = root
        self._wanted = wanted
        self._git_files = git_files
        self._git_stamps = self._git_now()
        self._folders: dict[str, _Folder | None] = {}
        self._files: dict[str, int | None] = {}  # marks, as of _mark
        self._indexed: set[str] = set()
        self._folder_order: list[str] = []
        self._file_order: list[str] = []
        self._folder_at = self._file_at = 0
        self._next: tuple[list[str], int] | None = None
        self._since_ns = 0

    def use(self, paths: Iterable[str], since_ns: int) -> None:
        """Take the indexed files from the next look on; what is known about them already is kept. From any thread.

        :param since_ns: when the index was made, in ns: what changed later is reported at the first look at it.
        """
        self._next = list(paths), since_ns

    def look(self, budget: int, seconds: float) -> Found:
        """Check git's files, and of the folders and files the next ``budget``, folders first.

        :param seconds: it ends after this time on the clock, whatever its budget: a network's file system answers
            slowly. Processors that other work uses make it last longer as well; the time must allow for that.
        """
        until = time.monotonic() + seconds
        if self._next is not None:
            (files, self._since_ns), self._next = self._next, None
            self._take(files)
        found = Found()
        stamps = self._git_now()
        if stamps != self._git_stamps:
            self._git_stamps, found.checkout = stamps, True
        folders = min(len(self._folder_order), max(budget // 2, budget - len(self._file_order)))
        for _ in range(folders):
            if time.monotonic() > until:
                return found
            folder = self._folder_order[self._folder_at % len(self._folder_order)]
            self._folder_at = (self._folder_at + 1) % len(self._folder_order)
            self._check_folder(folder, found)
        for _ in range(min(len(self._file_order), budget - folders)):
            if time.monotonic() > until:
                return found
            path = self._file_order[self._file_at % len(self._file_order)]
            self._file_at = (self._file_at + 1) % len(self._file_order)
            self._check_file(path, found)
        return found

    def _take(self, files: list[str]) -> None:
        self._indexed = {""} | {path.rpartition("/")[0] for path in files}
        for folder in list(self._indexed):
            while folder := folder.rpartition("/")[0]:
                self._indexed.add(folder)
        kept = sorted(self._indexed | set(self._folders))[:FOLDERS_KEPT]
        self._folders = {folder: self._folders.get(folder) for folder in kept}
        self._files = {path: self._files.get(path) for path in files}
        self._folder_order, self._file_order = kept, files

    def _git_now(self) -> tuple[Stamp, ...]:
        return tuple(map(stamp_of, self._git_files))

    def _check_folder(self, folder: str, found: Found) -> None:
        before = self._folders.get(folder)
        try:
            status = os.lstat(f"{self._root}/{folder}")
            if before is not None and status.st_mtime_ns == before.time_ns:
                return
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError
            with os.scandir(f"{self._root}/{folder}") as listing:
                items = {item.name: item.is_dir(follow_symlinks=False) for item in listing}
        except OSError:
            if folder and folder in self._folders:
                del self._folders[folder]
                self._folder_order = list(self._folders)
                found.gone.append(folder)
            return
        self._folders[folder] = _Folder(status.st_mtime_ns, "/".join(items))
        inner = f"{folder}/" if folder else ""
        names = set(filter(None, before.names.split("/"))) if before is not None else set(items)
        gone, new = names - items.keys(), items.keys() - names
        if before is None and status.st_mtime_ns > self._since_ns:
            new = {name for name in items if inner + name not in self._files and self._is_late(inner + name)}
        for name in new if before is not None else items if folder in self._indexed else ():
            if items[name] and len(self._folders) < FOLDERS_KEPT and self._wanted(f"{inner}{name}/x"):
                self._folders.setdefault(inner + name, None)
        if len(self._folder_order) != len(self._folders):
            self._folder_order = list(self._folders)
        for name in (*gone, *new):
            if inner + name in self._files:
                self._files[inner + name] = _mark(stamp_of(f"{self._root}/{inner}{name}"))
        found.gone += [inner + name for name in gone]
        found.changed += [inner + name for name in new]

    def _check_file(self, path: str, found: Found) -> None:
        now, before = _mark(stamp_of(f"{self._root}/{path}")), self._files[path]
        self._files[path] = now
        if now == _GONE:
            # The file may have gone between the making of the index and the first look.
            found.gone += [path] if before != _GONE else []
        elif self._is_late(path) if before is None else now != before:
            found.changed.append(path)

    def _is_late(self, path: str) -> bool:
        """Whether a file was written, moved or made after the index."""
        try:
            return os.lstat(f"{self._root}/{path}").st_ctime_ns > self._since_ns
        except (OSError, ValueError):
            return False


def _mark(stamp: Stamp) -> int:
    """Return one number for a stamp, which takes a fifth of its memory; equal stamps have equal ones."""
    return hash(stamp)


def stamp_of(path: str | Path) -> Stamp:
    """Return time, size and inode of a regular file; ``GONE`` where there is none."""
    with contextlib.suppress(OSError, ValueError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return status.st_mtime_ns, status.st_size, status.st_ino
    return GONE
