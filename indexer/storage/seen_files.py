"""What the last update saw of each file, in columns, so that the next one looks only at what differs.

A row states that a file of this size, with these times and this inode, had this content (a blob id), or was left out
for this reason. That never becomes wrong. A file may change twice within one tick of its clock, so nothing is stated
about a file that changed less than two seconds before the update or has a time in the future: it is read again. A file
that was not there has the number -1 four times.

The table also says of which generation of the index it is: the rows with a blob id are then exactly the documents of
that generation. It is a cache: without it, or with one of another context, every file is looked at.
"""

import hashlib
import json
import os
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, Final, NamedTuple

from indexer import fsio
from indexer.storage import generations
from indexer.types import Entry, Skip

_FORMAT: Final = f"2 {sys.byteorder}"
_HASH_BYTES: Final = 32
_OPEN, _DOCUMENT, _REFUSED, _UNREAD = range(4)
"""What a row states: nothing (the text: why its file was given up last time); its file's blob id; why its content is
left out; why it is left out without a look."""

_UNKNOWN: Final = (-2, -2, -2)
"""The times and the inode of no file."""

_FOLDERS_OPEN: Final = os.stat in os.supports_dir_fd
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
"""How a folder is opened to look at what is in it; on Linux it need not be readable for that."""

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
"""What a column holds; of an inode's number it holds the lower bits."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a whole table depends on.

    :param generation: the hash of the manifest of the index that it is of.
    :param listing: the hash of what git listed; empty where git did not.
    :param rules: the identity of the ignore files; :param folders: where they were looked for.
    :param apart: submodules and nested repositories that were listed.
    """

    generation: str = ""
    listing: str = ""
    rules: str = ""
    folders: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)


class _Row(NamedTuple):
    """:param text: a blob id or a reason."""

    numbers: tuple[int, ...]
    kind: int
    text: str


class SeenFiles:
    """The table of one index. What :meth:`record` and :meth:`forget` change is seen after :meth:`save`.

    :param path: the file. :param context: hash of everything but the ignore files that the outcome for a file depends
        on; a table of another context is empty.
    """

    def __init__(self, path: Path, context: str) -> None:
        self._path = path
        self._context = context
        self._as_of = fsio.now_ns()
        head, body = _load(path, context)
        self.basis = Basis(**head.get("basis", {}))
        rows = head.get("rows", 0)
        self._numbers = [array("q", body[8 * rows * i : 8 * rows * (i + 1)]) for i in range(4)]
        self._kinds = bytearray(body[32 * rows : 33 * rows])
        texts = body[33 * rows :].decode("utf-8", "surrogatepass").split("\0") if rows else []
        self.paths, self._texts = texts[:rows], texts[rows:]
        self._new: dict[str, _Row] = {}
        self._gone: set[str] = set()

    def differing(self, root: Path) -> bytes:
        """The rows that do not hold any more, or state nothing, for :meth:`paths_of`. This looks at every file once."""
        found = array("q")
        rows = zip(*self._numbers, _statuses(root, self.paths), strict=True)
        for number, (size, modified, changed, inode, status) in enumerate(rows):
            if status is None:
                if size != -1:
                    found.append(number)
            elif (
                status.st_mtime_ns != modified
                or status.st_ctime_ns != changed
                or status.st_size != size
                or status.st_ino & _MOST != inode
            ):
                found.append(number)
        return found.tobytes()

    def paths_of(self, rows: bytes) -> list[str]:
        """The paths of some rows."""
        return [self.paths[number] for number in array("q", rows)]

    def lookup(self, entry: Entry) -> str | Skip | None:
        """The blob id of an unchanged file, or why its content is left out; None if it must be read."""
        row = self._row(entry.path)
        if row is None or row.kind not in (_DOCUMENT, _REFUSED) or row.numbers != _numbers(entry):
            return None
        return row.text if row.kind == _DOCUMENT else Skip(entry.path, row.text)

    def documents(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Of some paths, those that the index has a document of, with its blob id."""
        rows = ((path, self._row(path)) for path in paths)
        return [(path, row.text) for path, row in rows if row is not None and row.kind == _DOCUMENT]

    def skips(self) -> list[Skip]:
        """What is left out and why, as the rows state it."""
        left = [kind in (_REFUSED, _UNREAD) for kind in self._kinds]
        return list(map(Skip, compress(self.paths, left), compress(self._texts, left)))

    def left_out(self, reason: str) -> list[str]:
        """The paths that are left out for this reason."""
        return [path for path, text in zip(self.paths, self._texts, strict=True) if text == reason]

    def readable_bytes(self, but: Iterable[str]) -> int:
        """The size of all files that may be read, without some paths."""
        sizes, kinds = self._numbers[0], self._kinds
        rows = (self._row(path) for path in but)
        less = sum(row.numbers[0] for row in rows if row is not None and row.kind != _UNREAD)
        return sum(compress(sizes, [kind != _UNREAD for kind in kinds])) - less

    def record(self, entry: Entry, outcome: str | Skip | None) -> None:
        """Record the outcome for a file that may be read: its blob id, why its content is left out, or that it is open.

        A file's age is measured from the construction of this object, so construct it before the walk.
        """
        if isinstance(outcome, Skip):
            self._put(entry, _REFUSED, outcome.reason)
        else:
            self._put(entry, _OPEN if outcome is None else _DOCUMENT, outcome or "")

    def record_failure(self, entry: Entry, reason: str) -> None:
        """Record that a file was given up; it is open until that happens twice in a row for the same reason."""
        before = self._row(entry.path)
        again = before is not None and (before.kind, before.text) == (_OPEN, reason) and before.numbers[0] == entry.size
        self._put(entry, _REFUSED if again else _OPEN, reason)

    def record_unread(self, entry: Entry, reason: str) -> None:
        """Record that a file is left out for its name, its kind or its size."""
        self._put(entry, _UNREAD, reason)

    def forget(self, paths: Iterable[str] | None) -> None:
        """Drop the rows of some paths unless they are recorded later; None drops all, and what was recorded before."""
        if paths is None:
            self._new.clear()
        self._gone.update(self.paths if paths is None else paths)

    def save(self, basis: Basis) -> None:
        """Write the table, if anything is new."""
        gone = self._gone - self._new.keys()
        new = {path: row for path, row in self._new.items() if self._row(path) != row}
        if not gone and not new and basis == self.basis:
            return
        if gone:
            stays = [path not in gone for path in self.paths]
            self.paths, self._texts = list(compress(self.paths, stays)), list(compress(self._texts, stays))
            self._kinds = bytearray(compress(self._kinds, stays))
            self._numbers = [array("q", compress(column, stays)) for column in self._numbers]
            self._places = {path: place for place, path in enumerate(self.paths)}
        for path, row in new.items():
            place = self._places.setdefault(path, len(self.paths))
            here = slice(place, place + 1)
            self.paths[here], self._texts[here], self._kinds[here] = [path], [row.text], bytes([row.kind])
            for column, number in zip(self._numbers, row.numbers, strict=True):
                column[here] = array("q", [number])
        head = {"format": _FORMAT, "context": self._context, "rows": len(self.paths), "basis": asdict(basis)}
        data = b"".join(
            [
                json.dumps(head, separators=(",", ":")).encode() + b"\n",
                *(column.tobytes() for column in self._numbers),
                self._kinds,
                "\0".join([*self.paths, *self._texts]).encode("utf-8", "surrogatepass"),
            ]
        )
        fsio.replace_file(self._path, hashlib.sha256(data).digest() + data, durable=False)

    def _put(self, entry: Entry, kind: int, text: str) -> None:
        numbers = _numbers(entry)
        old = max(entry.mtime_ns, entry.ctime_ns) + generations.RACY_NS < self._as_of
        known = old and all(_LEAST <= number <= _MOST for number in numbers) and kind != _OPEN
        self._new[entry.path] = _Row(numbers if known else (entry.size, *_UNKNOWN), kind, text)

    def _row(self, path: str) -> _Row | None:
        place = self._places.get(path)
        if place is None:
            return None
        return _Row(tuple(column[place] for column in self._numbers), self._kinds[place], self._texts[place])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {path: place for place, path in enumerate(self.paths)}


def _statuses(root: Path, paths: Iterable[str]) -> Iterator[os.stat_result | None]:
    """What there is at each path, links not followed; None for nothing.

    ``os.stat`` relative to an open folder takes a quarter less time than with the whole path.
    """
    above, folder = "", -1
    try:
        for path in paths:
            parent, _, name = path.rpartition("/")
            try:
                if not _FOLDERS_OPEN:
                    yield os.lstat(f"{root}/{path}")
                    continue
                if folder < 0 or parent != above:
                    if folder >= 0:
                        os.close(folder)
                        folder = -1
                    folder, above = os.open(f"{root}/{parent}", _FOLDER), parent
                yield os.stat(name, dir_fd=folder, follow_symlinks=False)
            except (OSError, ValueError):
                yield None
    finally:
        if folder >= 0:
            os.close(folder)


def _numbers(entry: Entry) -> tuple[int, ...]:
    inode = entry.inode & _MOST if entry.inode >= 0 else entry.inode
    return (entry.size, entry.mtime_ns, entry.ctime_ns, inode)


def _load(path: Path, context: str) -> tuple[dict[str, Any], bytes]:
    """The head and the columns of a table; empty if it is absent, damaged, or of another format or context."""
    try:
        data = fsio.read(path)
        body = memoryview(data)[_HASH_BYTES:]
        if hashlib.sha256(body).digest() != data[:_HASH_BYTES]:
            return {}, b""
        end = data.index(b"\n", _HASH_BYTES)
        head = json.loads(data[_HASH_BYTES:end])
        fits = head["format"] == _FORMAT and head["context"] == context
        return (head, data[end + 1 :]) if fits else ({}, b"")
    except (OSError, ValueError, KeyError, TypeError):
        return {}, b""
