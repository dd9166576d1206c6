"""Finds adapter versions whose training data holds files that were deleted from the repository or excluded since.

A version keeps the hashes of its files' paths and their blob ids, never their names. A file that was renamed without a
change is not deleted; a file that was already gone when the version was made does not count. The result is cached in
the registry until the commit, the exclusions or the versions change, so listing a hundred versions stays quick. A model
cannot unlearn a file, but a version with stale data can be deleted.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from finetune.commits.allowed import HistoryRules
from finetune.dataset.shards import path_key
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import stale_data_cache_file
from indexer.errors import OndolError
from indexer.repository import git
from lsp_server.weights.adapter_registry_writer import Version, seen


@dataclass(frozen=True, slots=True)
class StaleData:
    """How many files of a version's training data are deleted, and how many are excluded."""

    deleted: int
    excluded: int

    def __str__(self) -> str:
        parts = [f"{self.deleted:,} deleted since"] if self.deleted else []
        parts += [f"{self.excluded:,} excluded since"] if self.excluded else []
        return f"of its training files, {' and '.join(parts)}" if parts else ""


def stale_data(registry: Path, root: Path, settings: Settings, versions: Sequence[Version]) -> dict[int, StaleData]:
    """Return version number -> its stale data, for the versions that have any.

    :param root: the repository; without a commit there the result is empty.
    """
    head = git.head(root) if git.is_repository(root) or git.is_bare(root) else None
    if head is None or not versions:
        return {}
    present, accepted, blobs = _tree(root, head, settings)
    then: dict[str, set[str] | None] = {}
    key = sha256(repr((head, sorted(present - accepted), [one.number for one in versions])).encode()).hexdigest()
    cached = _read(stale_data_cache_file(registry), key)
    if cached is not None:
        return cached
    found = {}
    for one in versions:
        saw, made = seen(one), str(one.field("commits", "head"))
        if made not in then:
            then[made] = _paths(root, made)
        stood = then[made]
        gone = sum(
            path not in present and (stood is None or path in stood) and not blobs.intersection(ids)
            for path, ids in saw.items()
        )
        out = sum(path in present and path not in accepted for path in saw)
        if gone or out:
            found[one.number] = StaleData(gone, out)
    _write(stale_data_cache_file(registry), key, found)
    return found


def _tree(root: Path, commit: str, settings: Settings) -> tuple[set[str], set[str], set[str]]:
    """Return for a commit: the hashes of all paths, those of the paths that policy accepts, and all blob ids."""
    rules = HistoryRules(root, settings)
    present, accepted, blobs = set(), set(), set()
    for entry in git.ls_tree(root, commit):
        present.add(path_key(entry.path))
        blobs.add(entry.blob)
        if rules.reason(entry.path) is None:
            accepted.add(path_key(entry.path))
    return present, accepted, blobs


def _paths(root: Path, commit: str) -> set[str] | None:
    """Return the hashes of a commit's paths; None if the commit is gone."""
    try:
        return {path_key(entry.path) for entry in git.ls_tree(root, commit)}
    except OndolError:
        return None


def _read(path: Path, key: str) -> dict[int, StaleData] | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["key"] == key:
            return {int(number): StaleData(**row) for number, row in raw["marks"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _write(path: Path, key: str, found: dict[int, StaleData]) -> None:
    rows = {number: asdict(mark) for number, mark in found.items()}
    try:
        fsio.replace_file(path, json.dumps({"key": key, "marks": rows}).encode(), durable=False)
    except OSError:
        return  # the cache only saves time
