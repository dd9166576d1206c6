"""Every write to disk of Ondol goes through these functions.

Tests replace them one by one to fail, or to end the process, at the n-th operation, and to record what was synced. So
they are called as ``fsio.write(...)``, never imported by name. The one writer outside is tantivy, whose files are
synced and hashed here afterwards.

Files are created with mode 600 and directories with 700, whatever the umask, except those that a team shares.
"""

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

OPERATIONS = ("create", "write", "fsync", "rename", "fsync_dir", "read", "unlink", "mkdir", "rmdir", "link")
"""The functions that touch the file system; what fault injection wraps."""

_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700
_BINARY = getattr(os, "O_BINARY", 0)
_CHUNK = 1 << 20
_REMOVALS = 5


def real_path(path: Path | str) -> Path:
    """The path with its links followed, as far as they lead; a loop of links raises nothing.

    :meth:`pathlib.Path.resolve` raises ``RuntimeError`` there.
    """
    return Path(os.path.realpath(path))


def create(path: Path, mode: int = _FILE_MODE) -> int:
    """Create a new file for writing and return its descriptor; it is an error if the file exists."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)


def write(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``; a short write is continued, so that a full disk raises instead of truncating."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(descriptor, view[: 64 * _CHUNK]) :]


def fsync(descriptor: int) -> None:
    """Make a file's contents durable."""
    os.fsync(descriptor)


def rename(source: Path, target: Path) -> None:
    """Rename atomically, also over an existing file."""
    source.replace(target)


def fsync_dir(path: Path) -> None:
    """Make a directory's entries durable. Windows has no such call; there the rename itself is journalled."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes:
    """The whole file."""
    return path.read_bytes()


def unlink(path: Path) -> None:
    """Remove a file; a missing file is no error."""
    path.unlink(missing_ok=True)


def mkdir(path: Path, mode: int = _DIRECTORY_MODE) -> None:
    """Create a directory; its parent must exist, the directory must not."""
    path.mkdir(mode=mode)


def rmdir(path: Path) -> None:
    """Remove an empty directory."""
    path.rmdir()


def link(source: Path, target: Path) -> None:
    """Make a hard link to a file; copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        write_file(target, read(source))


def write_file(path: Path, data: bytes | memoryview) -> str:
    """Create a durable file of ``data`` and return the SHA-256 of ``data``, hexadecimal."""
    write_parts(path, (data,))
    return hashlib.sha256(data).hexdigest()


def write_parts(path: Path, parts: Iterable[bytes | memoryview], mode: int = _FILE_MODE) -> None:
    """Create a durable file from pieces."""
    descriptor = create(path, mode)
    try:
        for part in parts:
            write(descriptor, part)
        fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the contents of ``path`` in one step: readers see the old or the new contents.

    :param durable: False for caches: after a loss of power the old contents may be there, or none, never a mixture
        that passes its own checksum.
    """
    temporary = path.with_name(path.name + ".tmp")
    unlink(temporary)
    if durable:
        write_file(temporary, data)
    else:
        descriptor = create(temporary)
        try:
            write(descriptor, data)
        finally:
            os.close(descriptor)
    rename(temporary, path)
    if durable:
        fsync_dir(path.parent)


def make_directories(path: Path, mode: int = _DIRECTORY_MODE) -> None:
    """Create a directory and its missing parents."""
    missing = []
    while not path.is_dir() and path != path.parent:
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):
            mkdir(directory, mode)


def remove_tree(path: Path) -> None:
    """Remove a directory with everything in it; links are removed, not followed. A missing directory is no error.

    A reader that opens a generation takes a lock file in it for a moment: an emptied directory may have a file again.
    """
    for attempt in range(_REMOVALS):
        try:
            children = sorted(os.scandir(path), key=lambda child: child.name)
        except FileNotFoundError:
            return
        for child in children:
            if child.is_dir(follow_symlinks=False):
                remove_tree(Path(child.path))
            else:
                unlink(Path(child.path))
        try:
            rmdir(path)
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or attempt == _REMOVALS - 1:
                raise


def hash_file(path: Path) -> tuple[int, str]:
    """Size and SHA-256 (hexadecimal) of a file, read in pieces."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def is_private(path: Path) -> bool:
    """Whether only the owner may enter ``path``; always true where modes mean nothing (Windows)."""
    return os.name == "nt" or not stat.S_IMODE(path.stat().st_mode) & 0o077


def now_ns() -> int:
    """The wall clock in nanoseconds; replaced by tests that set the clock."""
    return time.time_ns()
