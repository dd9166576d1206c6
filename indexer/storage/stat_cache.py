"""The stat cache: the content of each file when it was last read, so that an unchanged file is not read again.

An entry states that a file of this size, with these times and this inode, had this blob id. It never becomes wrong, so
old entries may be kept or lost. A file may change twice within one tick of its clock, so nothing is recorded about a
file that changed less than two seconds ago or has a time in the future.
"""

from pathlib import Path

from indexer import fsio
from indexer.storage import cache_files, generations
from indexer.types import Entry, Skip


class StatCache:
    """The stat cache of one index.

    :param path: the cache file. :param context: hash of everything that a reason for leaving a file out depends on;
        entries of another context are not used.
    """

    def __init__(self, path: Path, context: str) -> None:
        self._path = path
        self._as_of = fsio.now_ns()
        self._context = context
        cached = cache_files.read_cache(path)
        self._known: dict[str, list[int | str]] = cached.get("files", {}) if cached.get("context") == context else {}
        self._seen: dict[str, list[int | str]] = {}

    def lookup(self, entry: Entry) -> str | Skip | None:
        """The blob id of an unchanged file, or why it was left out; None if it must be read."""
        row = self._known.get(entry.path)
        if row is None or row[:4] != _numbers(entry):
            return None
        self._seen[entry.path] = row
        blob, reason = row[4:]
        return str(blob) if blob else Skip(entry.path, str(reason))

    def record(self, entry: Entry, outcome: str | Skip) -> None:
        """Record the result for a file: its blob id, or why it was left out.

        A file's age is measured from the construction of this object, so construct it before the walk.
        """
        if max(entry.mtime_ns, entry.ctime_ns) + generations.RACY_NS < self._as_of:
            value = ["", outcome.reason] if isinstance(outcome, Skip) else [outcome, ""]
            self._seen[entry.path] = [*_numbers(entry), *value]

    def save(self) -> None:
        """Write the entries of all files looked up or recorded, if anything is new."""
        if self._seen != self._known:
            cache_files.write_cache(self._path, {"context": self._context, "files": self._seen})


def _numbers(entry: Entry) -> list[int | str]:
    return [entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode]
