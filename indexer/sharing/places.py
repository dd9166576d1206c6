"""Where an exported index lies: a folder, or a store that ``fsspec`` reaches (S3, HTTP, SFTP and others).

A place holds one small file that is replaced as a whole, and many files that are named by the hash of what they hold
and never change. A file that was only half written has the wrong size and is written again by the next export.
"""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

from indexer import fsio, lock
from indexer.errors import OndolError, UserError
from indexer.installation import install_command

MANIFEST: Final = "ondol-index.json"
FILES: Final = "files"
_PIECE: Final = 1 << 20
_LOCK: Final = "LOCK"
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|memory:")
_MODE: Final = 0o664
_DIRECTORY_MODE: Final = 0o775
"""Modes of what a team shares: the user's umask narrows them."""


class Place(Protocol):
    """A place with an exported index. ``name`` is what sentences call it, without passwords."""

    name: str

    def manifest(self, limit: int) -> bytes:
        """The manifest, at most ``limit`` bytes and one more. :raises FileNotFoundError: there is none."""

    def replace_manifest(self, data: bytes) -> None:
        """Replace the manifest in one step."""

    def sizes(self) -> dict[str, int]:
        """Names and sizes in bytes of the other files."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of one file. :raises FileNotFoundError: there is no such file."""

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Write one file."""

    def remove(self, name: str) -> None:
        """Remove one file."""

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Keep other exports out, where the place has locks."""


def open_place(where: str) -> Place:
    """The place of a path or a URL; nothing is read yet.

    :raises UserError: it is empty, or the package for such a URL is missing.
    """
    if not where.strip():
        raise UserError("an empty name is no place for an export", "name a folder or a URL")
    if where.startswith("file://"):
        where = urlsplit(where).path
    return Store(where) if _URL.match(where) else Folder(Path(where).expanduser().absolute())


class Folder:
    """A plain folder, for example on a file server.

    :ivar folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self.folder = folder

    def manifest(self, limit: int) -> bytes:
        """The manifest, at most ``limit`` bytes and one more. :raises FileNotFoundError: there is none."""
        with self._explained(), os.fdopen(_opened(self.folder / MANIFEST), "rb") as stream:
            return stream.read(limit + 1)

    def replace_manifest(self, data: bytes) -> None:
        """Replace the manifest in one step."""
        self._write(self.folder / MANIFEST, (data,))

    def sizes(self) -> dict[str, int]:
        """Names and sizes in bytes of the other files; links and folders count as missing."""
        with self._explained(), contextlib.suppress(FileNotFoundError), os.scandir(self.folder / FILES) as listing:
            return {
                item.name: item.stat(follow_symlinks=False).st_size
                for item in listing
                if item.is_file(follow_symlinks=False)
            }
        return {}

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of one file. :raises FileNotFoundError: there is no such file."""
        with self._explained(), os.fdopen(_opened(self.folder / FILES / name), "rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Write one file: next to its place, then renamed."""
        self._write(self.folder / FILES / name, content)

    def remove(self, name: str) -> None:
        """Remove one file."""
        with self._explained():
            fsio.unlink(self.folder / FILES / name)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other exports out; leftovers of one that was interrupted are removed.

        :raises Locked: another export is running.
        """
        with self._explained():
            for folder in (self.folder, self.folder / FILES):
                if folder.name == FILES and folder.is_symlink():
                    raise UserError(f"{folder} is a link", "remove it, or export to another folder")
                try:
                    fsio.make_directories(folder, _DIRECTORY_MODE)
                except FileNotFoundError as error:  # some file systems say so, such as /proc
                    raise UserError(f"{folder} cannot be created", "name a folder that you may write") from error
        with lock.hold(self.folder / _LOCK, f"exporting to {self.folder}"):
            for folder in (self.folder, self.folder / FILES):
                for leftover in sorted(folder.glob("*.tmp")):
                    fsio.unlink(leftover)
            yield

    def _write(self, path: Path, content: Iterable[bytes]) -> None:
        temporary = path.with_name(path.name + ".tmp")
        with self._explained():
            fsio.unlink(temporary)
            try:
                fsio.write_parts(temporary, content, _MODE)
            except BaseException:
                fsio.unlink(temporary)
                raise
            fsio.rename(temporary, path)
            fsio.fsync_dir(path.parent)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                what = f"no space is left in {self.name} ({error.strerror}); what was exported before is untouched"
                raise UserError(what, "free some space there, and export again") from error
            raise _unusable(self.name, error) from error


class Store:
    """A store that ``fsspec`` reaches, by its URL."""

    def __init__(self, url: str) -> None:
        self.name = _without_password(url)
        try:
            import fsspec
        except ImportError as error:
            raise UserError(
                f"{self.name} is not a folder, and the package fsspec that reaches such places is not installed",
                f"run: {install_command('share')}",
            ) from error
        self._system: Any
        try:
            self._system, path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise UserError(
                f"the package that reaches {self.name} is missing ({error})", "install it into the same environment"
            ) from error
        except Exception as error:
            raise _unusable(self.name, error) from error
        self._path = path.rstrip("/")

    def manifest(self, limit: int) -> bytes:
        """The manifest, at most ``limit`` bytes and one more. :raises FileNotFoundError: there is none."""
        data = b""
        for piece in self._read(f"{self._path}/{MANIFEST}"):
            data += piece
            if len(data) > limit:
                break
        return data[: limit + 1]

    def replace_manifest(self, data: bytes) -> None:
        """Replace the manifest in one step."""
        with self._explained():
            self._system.pipe_file(f"{self._path}/{MANIFEST}", data)

    def sizes(self) -> dict[str, int]:
        """Names and sizes in bytes of the other files."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self._system.invalidate_cache()
            rows = self._system.ls(f"{self._path}/{FILES}", detail=True)
            return {row["name"].rpartition("/")[2]: int(row["size"] or 0) for row in rows if row["type"] == "file"}
        return {}

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of one file. :raises FileNotFoundError: there is no such file."""
        yield from self._read(f"{self._path}/{FILES}/{name}")

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Write one file."""
        with self._explained():
            self._system.makedirs(f"{self._path}/{FILES}", exist_ok=True)
            with self._system.open(f"{self._path}/{FILES}/{name}", "wb") as stream:
                for piece in content:
                    stream.write(piece)

    def remove(self, name: str) -> None:
        """Remove one file; where another export did so, nothing is left to do."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self._system.rm_file(f"{self._path}/{FILES}/{name}")

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: such stores have no locks, so exports to one of them must not run at the same time."""
        return contextlib.nullcontext()

    def _read(self, path: str) -> Iterator[bytes]:
        with self._explained(), self._system.open(path, "rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Each store has errors of its own, so every one of them becomes a sentence."""
        try:
            yield
        except (OndolError, FileNotFoundError):
            raise
        except Exception as error:
            raise _unusable(self.name, error) from error


def _opened(path: Path) -> int:
    """A regular file opened for reading; a link is not followed and a pipe is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def _without_password(url: str) -> str:
    """The URL without user, password and query, which may hold a key."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _unusable(name: str, error: Exception) -> UserError:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UserError(f"{name} cannot be used ({said})", "check its name, the connection and your rights there")
