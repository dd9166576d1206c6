"""Writes the adapter registry: adds versions, moves ``current``, and records every move in the history.

``adapter_registry`` defines the format. A version is written to a temporary folder, synced and renamed into place; its
number is never used again. A move is recorded in the history before the pointer is renamed, so ``current`` names a
complete version whenever the process ends. A last move in the history that the pointer does not show was not made and
is ignored. Listing reads manifests and hashes nothing. Knows no training and judges nothing.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from indexer import fsio, lock
from indexer.data_layout import registry_lock_file
from indexer.errors import UserError
from indexer.storage.write_errors import explained
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import (
    CONFIG,
    CURRENT,
    FORMAT,
    HISTORY,
    MANIFEST,
    SEEN,
    VERSIONS,
    WEIGHTS,
    AdapterVersion,
    current_number,
    read_version,
    version_folder,
)
from lsp_server.weights.base_model import ModelFolder
from lsp_server.weights.gguf_writer import read_tensors

ADDED: Final = "added"
PROMOTED: Final = "promoted"
ROLLED_BACK: Final = "rolled back"
DELETED: Final = "deleted"
_STAGED: Final = ".new"
_DOOMED: Final = ".deleted-"


@dataclass(frozen=True, slots=True)
class Version:
    """A version as its manifest describes it; its files are not verified.

    :param problem: why the manifest cannot be read, or None.
    """

    number: int
    path: Path
    manifest: Mapping[str, Any]
    problem: str | None = None

    def field(self, *keys: str) -> Any:
        """A value of the manifest by its path; None where there is none."""
        value: Any = self.manifest
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    @property
    def newest(self) -> str | None:
        """The newest commit that it was trained on."""
        value = self.field("commits", "newest")
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the history.

    :param what: ``added``, ``promoted``, ``rolled back`` or ``deleted``.
    :param version: the number; for a rollback, of the version that is current again (None: the bare base).
    """

    what: str
    version: int | None
    at: str


def versions(registry: Path) -> list[Version]:
    """All versions, oldest first."""
    numbers = sorted(int(path.name) for path in (registry / VERSIONS).glob("[1-9]*") if path.name.isdigit())
    return [_version(registry, number) for number in numbers]


def version(registry: Path, number: int) -> Version:
    """One version.

    :raises UserError: there is none of that number.
    """
    if not version_folder(registry, number).is_dir():
        raise UserError(f"there is no adapter version {number}", "`ondol models list` shows those there are")
    return _version(registry, number)


def _version(registry: Path, number: int) -> Version:
    path = version_folder(registry, number)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return Version(number, path, {}, f"its manifest cannot be read ({type(error).__name__})")
    whole = isinstance(manifest, dict) and manifest.get("version") == number
    return Version(number, path, manifest if whole else {}, None if whole else "its manifest is of another version")


def history(registry: Path) -> list[Event]:
    """The entries of the history; none where it is damaged, since only ``rollback`` needs it."""
    try:
        raw = json.loads((registry / HISTORY).read_text(encoding="utf-8"))
        return [Event(str(e["what"]), None if e["version"] is None else int(e["version"]), str(e["at"])) for e in raw]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def served(registry: Path) -> list[int]:
    """The versions that ``current`` has named and may name again, the current one last; empty where none is current."""
    events, now = _known(registry)
    stack = _stack(events)
    there = {one.number for one in versions(registry)}
    kept = [number for number in stack if number in there]
    return kept if not now or kept[-1:] == [now] else [*kept, now]


def was_only_added(registry: Path, number: int) -> bool:
    """Whether the history says that a version was added, and not that it was ever promoted."""
    events, _ = _known(registry)
    said = {event.what for event in events if event.version == number}
    return ADDED in said and PROMOTED not in said


def add(registry: Path, adapter: Path, record: Mapping[str, Any], seen: Mapping[str, tuple[str, ...]]) -> Version:
    """Add a trained adapter to the registry as its next version; ``current`` does not change.

    :param adapter: folder with the adapter's weights and configuration, as peft writes them.
    :param record: the manifest without format, number and files; names at least ``base`` and ``prompt``.
    :param seen: the files that the training saw: hash of the path -> blob ids.
    :raises UserError: no space is left, another process writes, or files of the adapter are missing.
    """
    for name in (WEIGHTS, CONFIG):
        if not (adapter / name).is_file():
            raise UserError(f"{adapter} holds no {name}", "train again")
    with _writing(registry):
        events, _ = _known(registry)
        used = [one.version or 0 for one in events] + [one.number for one in versions(registry)]
        number = max(used, default=0) + 1
        staged = registry / VERSIONS / _STAGED
        fsio.mkdir(staged)
        files = {}
        for name, parts in (
            (WEIGHTS, _pieces(adapter / WEIGHTS)),
            (CONFIG, _pieces(adapter / CONFIG)),
            (SEEN, iter([json.dumps({"files": seen}).encode()])),
        ):
            fsio.write_parts(staged / name, parts)
            size, digest = fsio.hash_file(staged / name)
            files[name] = {"size": size, "sha256": digest}
        manifest = {**record, "format": FORMAT, "version": number, "made": _now(), "files": files}
        fsio.write_file(staged / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
        fsio.fsync_dir(staged)
        _write_history(registry, [*events, Event(ADDED, number, _now())])
        target = version_folder(registry, number)
        fsio.rename(staged, target)
        fsio.fsync_dir(target.parent)
    return _version(registry, number)


def promote(registry: Path, number: int, base: ModelFolder) -> None:
    """Verify every byte and number of a version against its base, and let ``current`` name it.

    :raises BackendProblem: it does not fit; ``current`` does not change.
    """
    version(registry, number)
    verify(registry, number, base)
    with _writing(registry):
        events, _ = _known(registry)
        _move(registry, events, Event(PROMOTED, number, _now()))


def rollback(registry: Path) -> int | None:
    """Let ``current`` name the version before; returns its number, or None for the bare base.

    :raises UserError: nothing has been promoted.
    """
    with _writing(registry):
        return _roll_back(registry)


def delete(registry: Path, number: int, *, force: bool = False) -> int | None:
    """Delete a version; returns the number that is current afterwards.

    :param force: delete the current version too, after a rollback to the one before.
    :raises UserError: the version is current and ``force`` is not given, or there is none.
    """
    version(registry, number)
    with _writing(registry):
        events, now = _known(registry)
        if number == now:
            if not force:
                raise UserError(
                    f"version {number} is the current adapter",
                    "promote another one or roll back first, or use --force, which rolls back and deletes it",
                )
            now = _roll_back(registry)
            events, _ = _known(registry)
        _write_history(registry, [*events, Event(DELETED, number, _now())])
        doomed = registry / VERSIONS / f"{_DOOMED}{number}"
        fsio.rename(version_folder(registry, number), doomed)
        fsio.fsync_dir(doomed.parent)
        fsio.remove_tree(doomed)
        return now


def verify(registry: Path, number: int, base: ModelFolder) -> AdapterVersion:
    """Check every hash, shape and number of a version.

    :raises BackendProblem: it is for another base or prompt format, damaged, or holds NaN.
    """
    found = read_version(registry, number, base.identity, base.spec.name, base.tensors)
    bad = not_finite(found.weights)
    if bad:
        raise BackendProblem(f"adapter version {number} is refused: {bad}", "promote another version, or train again")
    return found


def not_finite(weights: Path) -> str | None:
    """What is wrong with an adapter's numbers, or None."""
    for name, value in read_tensors((weights,)):
        if not np.isfinite(value).all():
            return f"it holds NaN or infinite numbers ({name})"
    return None


def seen(found: Version) -> dict[str, tuple[str, ...]]:
    """The files that a version's training saw: hash of the path -> blob ids; empty where they are not known."""
    try:
        raw = json.loads((found.path / SEEN).read_text(encoding="utf-8"))["files"]
        return {str(key): tuple(map(str, blobs)) for key, blobs in raw.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _roll_back(registry: Path) -> int | None:
    events, now = _known(registry)
    if not now:
        raise UserError("no adapter is current, so there is nothing to roll back", "promote a version")
    stack = served(registry)
    target = stack[-2] if len(stack) > 1 else None
    _move(registry, events, Event(ROLLED_BACK, target, _now()))
    return target


def _move(registry: Path, events: list[Event], event: Event) -> None:
    _write_history(registry, [*events, event])
    fsio.replace_file(registry / CURRENT, f"{event.version or ''}\n".encode())


def current(registry: Path) -> tuple[int | None, str | None]:
    """The version that is current, or that was the last one if the pointer is damaged; and what is wrong then."""
    try:
        return current_number(registry), None
    except BackendProblem as error:
        return _known(registry)[1], str(error)


def _known(registry: Path) -> tuple[list[Event], int | None]:
    """The history without what was not done, and the current version; of a damaged pointer, the one in the history."""
    events = history(registry)
    try:
        now = current_number(registry)
    except BackendProblem:
        stack = _stack(events)
        return events, stack[-1] if stack else None
    return _settled(events, now), now


def _stack(events: list[Event]) -> list[int]:
    """The promotions that were not rolled back."""
    stack: list[int] = []
    for event in events:
        if event.what == PROMOTED and event.version is not None:
            stack.append(event.version)
        elif event.what == ROLLED_BACK:
            while stack and stack.pop() != event.version:
                pass
            if event.version is not None:
                stack.append(event.version)
    return stack


def _settled(events: list[Event], now: int | None) -> list[Event]:
    """The history without a last move that the pointer does not show, because its process ended too early."""
    if events and events[-1].what in (PROMOTED, ROLLED_BACK) and events[-1].version != now:
        return events[:-1]
    return events


def _write_history(registry: Path, events: list[Event]) -> None:
    rows = ",\n".join(json.dumps({"what": e.what, "version": e.version, "at": e.at}) for e in events)
    fsio.replace_file(registry / HISTORY, f"[\n{rows}\n]\n".encode())


@contextlib.contextmanager
def _writing(registry: Path) -> Iterator[None]:
    """Hold the lock, and remove what an interrupted writer left."""
    with explained(registry, "registry"):
        fsio.make_directories(registry / VERSIONS)
        with lock.hold(registry_lock_file(registry), "changing these adapters"):
            fsio.remove_tree(registry / VERSIONS / _STAGED)
            for left in (registry / VERSIONS).glob(f"{_DOOMED}*"):
                fsio.remove_tree(left)
            yield


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            yield piece


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
