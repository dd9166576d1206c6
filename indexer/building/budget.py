"""Keeps an index within the ceilings of the settings: disk, memory and minutes.

Over the disk ceiling files are left out in this order, as few as needed in the last two steps:

1. duplicates: of files that are the same but for white space, one stays;
2. generated and vendored files, where the settings include them, the largest first;
3. the files that were changed the longest ago.

What is chosen depends on the files and the settings alone, so that an update gives what a build from nothing gives.
"""

import dataclasses
import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indexer.config import Settings
from indexer.data_layout import digests_cache_file
from indexer.errors import UserError
from indexer.repository import git, policy
from indexer.repository.history import changed_lately
from indexer.repository.listing import read_listing
from indexer.storage.stat_cache import StatCache
from indexer.types import Entry, Skip

if TYPE_CHECKING:
    from indexer.building.worker import Limits

INDEX_BYTES_PER_BYTE: Final = 2.0
"""Disk of an index for each byte of text: 1.99 for a kernel of 930 MB."""

DUPLICATE: Final = "over the disk ceiling: duplicate"
NOT_WRITTEN: Final = "over the disk ceiling: generated or vendored"
OLDEST: Final = "over the disk ceiling: changed long ago"
TIME: Final = "left for the next update: no minutes left"

PARENT_BYTES: Final = 600 << 20
WORKER_BYTES: Final = 200 << 20
"""Memory of the building process and of an idle worker, of a million lines and more; a file's own comes on top."""

LEAST_FILE_BYTES: Final = 256 << 20
"""Address space that a worker gets for a file at least: with 64 MB the libraries for matrices cannot start."""

COMMITS: Final = 5_000
"""The newest commits are asked which files they changed; files that none of them changed are the oldest."""

_SPACE: Final = b" \t\r\n\f\v"


def within_memory(wanted: int, settings: Settings, limits: "Limits") -> tuple[int, "Limits"]:
    """How many workers may run, and the limits of each, so that all together stay below the memory ceiling.

    Under a low ceiling fewer workers run; under a very low one, files that need much memory are left out.
    """
    room = settings.max_index_memory_mb * 1_000_000 - PARENT_BYTES
    count = max(1, min(settings.workers, wanted, room // (WORKER_BYTES + limits.memory_bytes)))
    most = max(LEAST_FILE_BYTES, room // count - WORKER_BYTES)
    return count, dataclasses.replace(limits, memory_bytes=min(limits.memory_bytes, most))


def memory_used(workers: int) -> int:
    """At most how many bytes this process and its workers had in memory; 0 where the system does not say it."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(own + workers * child) * unit


def is_over(size: int, settings: Settings) -> bool:
    """Whether the index of files of this size, in bytes, would be larger than the disk ceiling."""
    return size > _room(settings)


def _room(settings: Settings) -> float:
    return settings.max_index_mb * 1_000_000 / INDEX_BYTES_PER_BYTE


def within_disk(
    root: Path, entries: Sequence[Entry], settings: Settings, index: Path
) -> tuple[list[Entry], list[Skip]]:
    """The files whose index stays below the disk ceiling, and why the others are left out.

    :param index: the folder of the index, where it is kept which files are the same.
    """
    over = sum(entry.size for entry in entries) - _room(settings)
    left: dict[str, str] = {}
    if over <= 0:
        return list(entries), []

    def leave(chosen: Iterable[Entry], reason: str, *, all_of_them: bool = False) -> None:
        nonlocal over
        for entry in chosen:
            if over <= 0 and not all_of_them:
                return
            left[entry.path] = reason
            over -= entry.size

    leave(_duplicates(root, entries, index), DUPLICATE, all_of_them=True)
    rest = [entry for entry in entries if entry.path not in left]
    leave(sorted((entry for entry in rest if _is_not_written(entry.path)), key=_largest_first), NOT_WRITTEN)
    if over > 0:
        rest = [entry for entry in rest if entry.path not in left]
        leave(sorted(rest, key=_age(root)), OLDEST)
    kept = [entry for entry in entries if entry.path not in left]
    return kept, [Skip(path, reason) for path, reason in left.items()]


def notes(over: Sequence[Skip], settings: Settings) -> list[str]:
    """The sentence for the user about files that are left out for the disk ceiling."""
    if not over:
        return []
    return [
        f"the index would be larger than {settings.max_index_mb:,} MB (max_index_mb), so {len(over):,} files are left "
        "out: duplicates, then generated and vendored files, then those changed the longest ago."
    ]


def time_note(skips: Sequence[Skip], settings: Settings) -> list[str]:
    """The sentence for the user about files that no time was left for."""
    count = sum(skip.reason == TIME for skip in skips)
    if not count:
        return []
    minutes = f"{settings.max_index_minutes:,} minutes (max_index_minutes)"
    return [f"{minutes} were not enough: {count:,} files are left for the next update."]


def _duplicates(root: Path, entries: Sequence[Entry], index: Path) -> list[Entry]:
    """Of files that are the same but for white space, all but the one with the shortest path."""
    cache = StatCache(digests_cache_file(index), "but for white space")
    first: dict[str, Entry] = {}
    found = []
    for entry in sorted(entries, key=lambda one: (one.path.count("/"), len(one.path), one.path)):
        digest = cache.lookup(entry)
        if not isinstance(digest, str):
            data = policy.read_bytes(root, entry.path, entry.size)
            if isinstance(data, str):
                continue
            digest = hashlib.sha256(data.translate(None, _SPACE)).hexdigest()
            cache.record(entry, digest)
        if digest in first:
            found.append(entry)
        else:
            first[digest] = entry
    cache.save()
    return found


def _is_not_written(path: str) -> bool:
    """Whether a file's name says that nobody here wrote it."""
    return policy.accepts_path(path, _STRICT) in (policy.GENERATED, policy.VENDORED)


_STRICT: Final = Settings()
"""The default settings, which include neither generated nor vendored files."""


def _largest_first(entry: Entry) -> tuple[int, str]:
    return -entry.size, entry.path


def _age(root: Path) -> Callable[[Entry], tuple[int, int, str]]:
    """A key that sorts files, those that were changed the longest ago first.

    In a repository the commits say when, since a clone gives all files one time; files that git does not track are new.
    """
    try:
        changed = changed_lately(root, COMMITS) if git.is_repository(root) else []
        untracked = frozenset(read_listing(root).untracked()) if changed else frozenset()
    except UserError:
        changed, untracked = [], frozenset()
    rank = {path: number for number, path in enumerate(reversed(changed), start=1)}
    newest = len(rank) + 1

    def key(entry: Entry) -> tuple[int, int, str]:
        return newest if entry.path in untracked else rank.get(entry.path, 0), entry.mtime_ns, entry.path

    return key
