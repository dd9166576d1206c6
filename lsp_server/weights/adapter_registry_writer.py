"""The writing side of the adapter registry: versions come whole, ``current`` is moved, and every move is remembered.

Beside what ``lsp_server.weights.adapter_registry`` reads, which defines the format, there are

    <registry>/versions/<n>/seen.json   the files that the training saw, as hashes of their paths and their blob ids
    <registry>/history.json             what was added, promoted, rolled back and deleted, the oldest first
    <registry>/LOCK                     one writer at a time

A version is written aside, synced and renamed into place, and its number is never used again. A move is written into
the history before the pointer is renamed: whatever ends the process, ``current`` names a whole version, and a last line
of the history whose move was not made is told by the pointer and passed over. Listing reads manifests and hashes
nothing. This module knows no training and judges nothing.
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
from indexer.storage.generations import explained
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import (
    CONFIG,
    CURRENT,
    FORMAT,
    MANIFEST,
    WEIGHTS,
    AdapterVersion,
    current_number,
    read_version,
)
from lsp_server.weights.base_model import ModelFolder
from lsp_server.weights.gguf_writer import read_tensors

HISTORY: Final = "history.json"
SEEN: Final = "seen.json"
PROMOTED: Final = "promoted"
BACK: Final = "rolled back"
_STAGED: Final = ".new"
_DOOMED: Final = ".deleted-"


@dataclass(frozen=True, slots=True)
class Version:
    """A version as its manifest tells it; none of its files has been verified.

    :param problem: why the manifest cannot be read, or None.
    """

    number: int
    path: Path
    manifest: Mapping[str, Any]
    problem: str | None = None

    def field(self, *keys: str) -> Any:
        """A value of the manifest by its path, None where there is none."""
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
    """A line of the history.

    :param what: ``added``, ``promoted``, ``rolled back`` or ``deleted``.
    :param version: which one; of a rollback, the one that serves again (None: the bare base).
    """

    what: str
    version: int | None
    at: str


def versions(registry: Path) -> list[Version]:
    """All versions, the oldest first."""
    numbers = sorted(int(path.name) for path in (registry / "versions").glob("[1-9]*") if path.name.isdigit())
    return [_version(registry, number) for number in numbers]


def version(registry: Path, number: int) -> Version:
    """One version.

    :raises UserError: there is none of that number.
    """
    if not (registry / "versions" / str(number)).is_dir():
        raise UserError(f"there is no adapter version {number}", "`ondol models list` shows those there are")
    return _version(registry, number)


def _version(registry: Path, number: int) -> Version:
    path = registry / "versions" / str(number)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return Version(number, path, {}, f"its manifest cannot be read ({type(error).__name__})")
    whole = isinstance(manifest, dict) and manifest.get("version") == number
    return Version(number, path, manifest if whole else {}, None if whole else "its manifest is of another version")


def history(registry: Path) -> list[Event]:
    """What was done; a damaged history is an empty one, since it serves nobody but ``rollback``."""
    try:
        raw = json.loads((registry / HISTORY).read_text(encoding="utf-8"))
        return [Event(str(e["what"]), None if e["version"] is None else int(e["version"]), str(e["at"])) for e in raw]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def served(registry: Path) -> list[int]:
    """The versions that ``current`` has named and may name again, the present one last; empty where none serves."""
    now = current_number(registry)
    stack = _stack(_settled(history(registry), now))
    there = {one.number for one in versions(registry)}
    kept = [number for number in stack if number in there]
    return kept if not now or kept[-1:] == [now] else [*kept, now]


def was_promoted(registry: Path, number: int) -> bool:
    """Whether a version has ever served, whatever came after."""
    events = _settled(history(registry), current_number(registry))
    return any(event.what == PROMOTED and event.version == number for event in events)


def add(registry: Path, adapter: Path, record: Mapping[str, Any], seen: Mapping[str, tuple[str, ...]]) -> Version:
    """Put a trained adapter into the registry as its next version; ``current`` stays where it is.

    :param adapter: folder with the adapter's weights and configuration, as peft writes them.
    :param record: the manifest without format, number and files; names at least ``base`` and ``prompt``.
    :param seen: what the training saw: hash of a path -> blob ids.
    :raises UserError: no space is left, another process writes, or the adapter's files are missing.
    """
    for name in (WEIGHTS, CONFIG):
        if not (adapter / name).is_file():
            raise UserError(f"{adapter} holds no {name}", "train again")
    with _writing(registry):
        events = _settled(history(registry), current_number(registry))
        used = [one.version or 0 for one in events] + [one.number for one in versions(registry)]
        number = max(used, default=0) + 1
        staged = registry / "versions" / _STAGED
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
        _write_history(registry, [*events, Event("added", number, _now())])
        target = registry / "versions" / str(number)
        fsio.rename(staged, target)
        fsio.fsync_dir(target.parent)
    return _version(registry, number)


def promote(registry: Path, number: int, base: ModelFolder) -> None:
    """Verify a version against the base it is for, every byte and number of it, and let ``current`` name it.

    :raises BackendProblem: it does not fit; what serves goes on serving.
    """
    version(registry, number)
    verify(registry, number, base)
    with _writing(registry):
        events = _settled(history(registry), current_number(registry))
        _move(registry, events, Event(PROMOTED, number, _now()))


def rollback(registry: Path) -> int | None:
    """Let ``current`` name the version that served before; returns it, or None for the bare base.

    :raises UserError: nothing has been promoted.
    """
    with _writing(registry):
        return _roll_back(registry)


def delete(registry: Path, number: int, *, force: bool = False) -> int | None:
    """Remove a version; returns what serves afterwards.

    :param force: also the one that serves: the one before it takes its place first.
    :raises UserError: it serves, and ``force`` is not given; or there is none.
    """
    version(registry, number)
    with _writing(registry):
        now = current_number(registry)
        if number == now:
            if not force:
                raise UserError(
                    f"version {number} is the one that serves",
                    "promote another one or roll back first, or use --force, which rolls back and deletes it",
                )
            now = _roll_back(registry)
        _write_history(registry, [*_settled(history(registry), now), Event("deleted", number, _now())])
        doomed = registry / "versions" / f"{_DOOMED}{number}"
        fsio.rename(registry / "versions" / str(number), doomed)
        fsio.fsync_dir(doomed.parent)
        fsio.remove_tree(doomed)
        return now


def verify(registry: Path, number: int, base: ModelFolder) -> AdapterVersion:
    """A version, after every hash, shape and number of it has been found in order.

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
    """The files that a version's training saw: hash of the path -> blob ids; empty where that is not known."""
    try:
        raw = json.loads((found.path / SEEN).read_text(encoding="utf-8"))["files"]
        return {str(key): tuple(map(str, blobs)) for key, blobs in raw.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _roll_back(registry: Path) -> int | None:
    if not current_number(registry):
        raise UserError("no adapter serves, so there is nothing to roll back", "promote a version")
    stack = served(registry)
    target = stack[-2] if len(stack) > 1 else None
    _move(registry, _settled(history(registry), stack[-1]), Event(BACK, target, _now()))
    return target


def _move(registry: Path, events: list[Event], event: Event) -> None:
    _write_history(registry, [*events, event])
    fsio.replace_file(registry / CURRENT, f"{event.version or ''}\n".encode())


def _stack(events: list[Event]) -> list[int]:
    """The promotions that no rollback has taken back."""
    stack: list[int] = []
    for event in events:
        if event.what == PROMOTED and event.version is not None:
            stack.append(event.version)
        elif event.what == BACK:
            while stack and stack.pop() != event.version:
                pass
            if event.version is not None:
                stack.append(event.version)
    return stack


def _settled(events: list[Event], now: int | None) -> list[Event]:
    """A history without a last move that the pointer does not show: its process ended between the two."""
    if events and events[-1].what in (PROMOTED, BACK) and events[-1].version != now:
        return events[:-1]
    return events


def _write_history(registry: Path, events: list[Event]) -> None:
    rows = ",\n".join(json.dumps({"what": e.what, "version": e.version, "at": e.at}) for e in events)
    fsio.replace_file(registry / HISTORY, f"[\n{rows}\n]\n".encode())


@contextlib.contextmanager
def _writing(registry: Path) -> Iterator[None]:
    """Holds the lock, and removes what an interrupted writer left."""
    with explained(registry, "registry"):
        fsio.make_directories(registry / "versions")
        with lock.hold(registry_lock_file(registry), "changing these adapters"):
            fsio.remove_tree(registry / "versions" / _STAGED)
            for left in (registry / "versions").glob(f"{_DOOMED}*"):
                fsio.remove_tree(left)
            yield


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            yield piece


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
