"""What each file held when it was last read, so that a file that has not been touched need not be read again.

A hint says "a file of this size, with these times and this inode, had this content". It stays true for ever, so losing
or keeping old hints is harmless; but times prove nothing while a file may still change within the same tick of its
clock, so nothing is remembered about a file younger than two seconds, or one that claims to come from the future.

This module knows no generations: a blob id is a fact about bytes.
"""

from pathlib import Path

from indexer import fsio
from indexer.storage import generations
from indexer.types import Entry, Skip


class StatCache:
    """The hints of one index.

    :param path: the cache file. :param context: hash of everything a reason for leaving a file out depends on; hints
        made under another one are not used.
    """

    def __init__(self, path: Path, context: str) -> None:
        self._path = path
        self._as_of = fsio.now_ns()
        self._context = context
        cached = generations.read_cache(path)
        self._known: dict[str, list[int | str]] = cached.get("files", {}) if cached.get("context") == context else {}
        self._seen: dict[str, list[int | str]] = {}

    def lookup(self, entry: Entry) -> str | Skip | None:
        """The blob id that an untouched file has, or why it was left out; None if it has to be read."""
        row = self._known.get(entry.path)
        if row is None or row[:4] != _numbers(entry):
            return None
        self._seen[entry.path] = row
        blob, reason = row[4:]
        return str(blob) if blob else Skip(entry.path, str(reason))

    def record(self, entry: Entry, outcome: str | Skip) -> None:
        """Remembers what a file turned out to be: a blob id, or a reason why it was left out.

        Its age counts from before it was read, so construct this object before the walk.
        """
        if max(entry.mtime_ns, entry.ctime_ns) + generations.RACY_NS < self._as_of:
            value = ["", outcome.reason] if isinstance(outcome, Skip) else [outcome, ""]
            self._seen[entry.path] = [*_numbers(entry), *value]

    def save(self) -> None:
        """Writes the hints of all files looked up or recorded, if there is anything new."""
        if self._seen != self._known:
            generations.write_cache(self._path, {"context": self._context, "files": self._seen})


def _numbers(entry: Entry) -> list[int | str]:
    return [entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode]
