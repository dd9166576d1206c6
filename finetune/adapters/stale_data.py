"""Which adapter versions saw files that the repository no longer has, or that have been excluded since.

A version keeps the hashes of the paths it saw and their blob ids, never their names. A file that was renamed without a
change is still there; one that was gone already when the version was made was not deleted since. What was found is
remembered beside the registry until the commit, the exclusions or the versions change, so that listing a hundred
versions stays quick. Untraining is nobody's trick: a marked version can be deleted.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from finetune.dataset.shards import path_key
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import stale_data_cache_file
from indexer.errors import OndolError
from indexer.repository import git
from indexer.repository.walk import Rules
from lsp_server.weights.adapter_registry_writer import Version, seen


@dataclass(frozen=True, slots=True)
class Mark:
    """How many of the files that a version saw are gone, and how many may no longer be read."""

    deleted: int
    excluded: int

    def __str__(self) -> str:
        told = [f"{self.deleted:,} since deleted"] if self.deleted else []
        told += [f"{self.excluded:,} since excluded"] if self.excluded else []
        return f"of the files it saw, {', '.join(told)}" if told else ""


def marks(registry: Path, root: Path, settings: Settings, versions: Sequence[Version]) -> dict[int, Mark]:
    """The marks of those versions that have one.

    :param root: the repository; without a commit there, nothing can be told and nothing is marked.
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
            found[one.number] = Mark(gone, out)
    _write(stale_data_cache_file(registry), key, found)
    return found


def _tree(root: Path, commit: str, settings: Settings) -> tuple[set[str], set[str], set[str]]:
    """Of a commit: hashes of all paths, of those that may be read, and all blob ids."""
    rules = Rules(root, settings)
    present, accepted, blobs = set(), set(), set()
    for entry in git.ls_tree(root, commit):
        present.add(path_key(entry.path))
        blobs.add(entry.blob)
        if rules.reason(entry.path) is None:
            accepted.add(path_key(entry.path))
    return present, accepted, blobs


def _paths(root: Path, commit: str) -> set[str] | None:
    """Hashes of the paths of a commit; None if it is gone, so that nothing is known of it."""
    try:
        return {path_key(entry.path) for entry in git.ls_tree(root, commit)}
    except OndolError:
        return None


def _read(path: Path, key: str) -> dict[int, Mark] | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["key"] == key:
            return {int(number): Mark(**mark) for number, mark in raw["marks"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _write(path: Path, key: str, found: dict[int, Mark]) -> None:
    rows = {number: asdict(mark) for number, mark in found.items()}
    try:
        fsio.replace_file(path, json.dumps({"key": key, "marks": rows}).encode(), durable=False)
    except OSError:
        return  # It only saves time.
