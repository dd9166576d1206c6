"""Prepares a few files in this process, with the same interface as the pool of workers.

Should a file end the process, the marker that is left makes the next build use workers, which it cannot take down.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer import fsio
from indexer.building.prepare import CRASH, Preparer
from indexer.building.worker_pool import FileResult, SuffixFiles
from indexer.config import Settings
from indexer.storage.segment import suffix_files
from indexer.text.tokens import Lexed
from indexer.types import Entry, Skip


class InProcess:
    """Processes each job when its result is read.

    :param marker: a file that exists while work is in progress.
    """

    def __init__(self, root: Path, settings: Settings, marker: Path, *, embed: bool) -> None:
        self._preparer = Preparer(root, settings, embed=embed)
        self._marker = marker
        self._entries: deque[tuple[Entry, list[str]]] = deque()
        self._suffixes: deque[tuple[int, Sequence[Lexed]]] = deque()
        self._left: deque[FileResult] = deque()

    def __enter__(self) -> "InProcess":
        fsio.replace_file(self._marker, b"", durable=False)
        return self

    def __exit__(self, *_: object) -> None:
        fsio.unlink(self._marker)

    def prepare(self, entries: Sequence[Entry], known: dict[str, list[str]]) -> None:
        """Queue entries; each gives one :class:`FileResult`."""
        self._entries.extend((entry, known[entry.path]) for entry in entries)

    def suffix(self, key: int, documents: Sequence[Lexed]) -> None:
        """Queue a suffix index."""
        self._suffixes.append((key, documents))

    def leave(self, reason: str) -> None:
        """Leave out every file that is still queued, with this reason."""
        self._left.extend(FileResult(entry, Skip(entry.path, reason)) for entry, _ in self._entries)
        self._entries.clear()

    def results(self) -> Iterator[FileResult | SuffixFiles]:
        """Yield the results of all jobs, including jobs that are queued meanwhile."""
        while self._suffixes or self._entries or self._left:
            if self._left:
                yield self._left.popleft()
            elif self._suffixes:
                key, documents = self._suffixes.popleft()
                yield SuffixFiles(key, suffix_files(documents))
            else:
                entry, known = self._entries.popleft()
                yield self._outcome(entry, known)

    def _outcome(self, entry: Entry, known: list[str]) -> FileResult:
        try:
            return FileResult(entry, self._preparer.prepare(entry, known))
        except Exception as error:  # A fault of Ondol at one file must not stop the build.
            return FileResult(entry, Skip(entry.path, CRASH), f"{type(error).__name__}: {error}")
