"""Where data lives on disk. No other module knows these names; each format inside a file has its own owner.

    DATA_DIR/
      eval-*/, demo-*/                work folders of a running command, removed at its end; if it was killed, later
      loose/                          traces and statistics of documents outside any repository
      engine.log                      the log of the engine that several windows share
      repositories/NAME-HASH/         one folder per repository, mode 700
        index/                        the index (``storage.generations``)
          CURRENT, LOCK               pointer to the current generation; the writer's lock
          hints, report, verified     caches: files that the last update saw, its report, hashes checked since boot
          digests                     cache: which files are the same, where the index reaches its disk ceiling
          inflight                    the file that is being prepared in this process
        registry/                     adapters (``weights.adapter_registry``), with a cache of stale-data marks
        origin                        the repository's path and first commit (``storage.adoption``)
        gate.json                     the gate fitted on this repository
        night/, nights/, night.lock   nightly run: work folder, reports, lock
        replays/                      reports of the last replays
        traces.jsonl, stats.jsonl     what the server recorded (``telemetry``)

    the platform's cache folder for ``ondol``
      shape                           the hash of the code that shapes documents (``storage.fingerprint``)
      kingfisher/                     compiled rules of the secret detector

A function gives a path whether or not there is something; those that create a folder say so.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import platformdirs

from indexer import fsio, lock
from indexer.config import Settings
from indexer.errors import OndolError, UserError


def engine_log_file(settings: Settings) -> Path:
    """The log of the engine that several windows share."""
    return settings.data_dir / "engine.log"


# One repository


def repository_directory(settings: Settings, root: Path) -> Path:
    """The folder for everything Ondol keeps about the repository at ``root``; created with mode 700.

    :raises UserError: the folder cannot be made.
    """
    directory = repository_path(settings, root)
    try:
        fsio.make_directories(directory)
        if os.name == "posix" and stat.S_IMODE(directory.stat().st_mode) != 0o700:
            directory.chmod(0o700)
    except OSError as error:
        raise _not_writable(f"the folder {directory}", error) from error
    return directory


def _not_writable(folder: str, error: OSError) -> UserError:
    return UserError(
        f"cannot make {folder} ({error.strerror or error})",
        "make it writable or set ONDOL_DATA_DIR to a folder that is",
    )


def repository_path(settings: Settings, root: Path) -> Path:
    """The folder of the repository at ``root``: its name and a hash of its resolved path."""
    resolved = fsio.real_path(root)
    digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", resolved.name)[:64] or "root"
    return repositories_directory(settings) / f"{name}-{digest}"


def repositories_directory(settings: Settings) -> Path:
    """The folder with one folder per repository."""
    return settings.data_dir / "repositories"


def index_directory(settings: Settings, root: Path) -> Path:
    """The index of the repository at ``root``."""
    return index_below(repository_path(settings, root))


def index_below(directory: Path) -> Path:
    """The index in the data folder of a repository."""
    return directory / "index"


def origin_file(directory: Path) -> Path:
    """Names the repository whose data are in the folder ``directory``."""
    return directory / "origin"


def registry_directory(settings: Settings, root: Path) -> Path:
    """The adapters of the repository at ``root``."""
    return repository_path(settings, root) / "registry"


def own_gate_file(settings: Settings, root: Path) -> Path:
    """The gate that ``ondol eval --fit-gate`` fitted on the repository at ``root``."""
    return repository_path(settings, root) / "gate.json"


def own_fusion_file(settings: Settings, root: Path) -> Path:
    """The fusion of retrieval and model that ``ondol eval --fit-model`` fitted on the repository at ``root``."""
    return repository_path(settings, root) / "fusion.json"


def nightly_reports_directory(settings: Settings, root: Path) -> Path:
    """The reports of the nightly runs, Markdown and JSON."""
    return repository_path(settings, root) / "nights"


def replay_reports_directory(settings: Settings, root: Path) -> Path:
    """The reports of the last replays (``ondol eval``), JSON without any code."""
    return repository_path(settings, root) / "replays"


def nightly_work_directory(settings: Settings, root: Path) -> Path:
    """Data set and checkpoints of a nightly run that has not ended yet."""
    return repository_path(settings, root) / "night"


def taught_base_directory(settings: Settings, root: Path, name: str) -> Path:
    """Folder of a base that was taught to fill middles."""
    return repository_path(settings, root) / "bases" / name


def nightly_lock_file(settings: Settings, root: Path) -> Path:
    """The lock that a nightly run holds."""
    return repository_path(settings, root) / "night.lock"


TRACES: Final = "traces.jsonl"
STATS: Final = "stats.jsonl"


def records_file(settings: Settings, root: Path | None, name: str) -> Path:
    """The server's records of a repository, or of documents outside any; its folder is created.

    :param root: the repository; None for documents outside any.
    :param name: ``TRACES`` or ``STATS``.
    :raises UserError, OSError: the folder cannot be made.
    """
    if root is not None:
        folder = repository_directory(settings, root)
    else:
        folder = settings.data_dir / "loose"
        fsio.make_directories(folder)
    return folder / name


# Inside an index or a registry


def index_pointer_file(index: Path) -> Path:
    """The file that names the current generation of the index in folder ``index``."""
    return index / "CURRENT"


def index_lock_file(index: Path) -> Path:
    """The writer's lock of an index."""
    return index / "LOCK"


def verified_cache_file(index: Path) -> Path:
    """Which files of an index were hashed since the machine started."""
    return index / "verified"


def seen_files_file(index: Path) -> Path:
    """What each file of the repository held when it was last read."""
    return index / "hints"


def digests_cache_file(index: Path) -> Path:
    """What each file holds but for white space, where the index reaches its disk ceiling."""
    return index / "digests"


def build_report_file(index: Path) -> Path:
    """The report of the last build of an index, which ``ondol doctor`` shows."""
    return index / "report"


def in_flight_file(index: Path) -> Path:
    """Names the file that is being prepared in the building process itself."""
    return index / "inflight"


def registry_lock_file(registry: Path) -> Path:
    """The writer's lock of an adapter registry."""
    return registry / "LOCK"


def stale_data_cache_file(registry: Path) -> Path:
    """Which adapters saw files that have since been deleted or excluded."""
    return registry / "marks.json"


# Outside the data directory: what can be made again at any time


def code_hash_cache_file() -> Path:
    """The hash of this installation's code that shapes documents; its folder is created where that is possible."""
    return _cache_directory() / "shape"


def secret_rules_cache_directory() -> Path:
    """The compiled rules of the secret detector; the folder above is created where that is possible."""
    return _cache_directory() / "kingfisher"


def _cache_directory() -> Path:
    """The cache folder, which nobody else may write whatever the umask: what is in it decides what is masked."""
    folder = platformdirs.user_cache_path("ondol", appauthor=False)
    with suppress(OSError):
        fsio.make_directories(folder)
    return folder


# Work folders

_IN_USE: Final = ".in-use"
"""The file in a work folder that its command has locked."""

_WORK_FOLDER: Final = re.compile(r"(eval|demo)-[a-z0-9_]{8}")

_NIGHTLY_COPIES: Final = ("set/scratch", "replay")
"""Folders in the work folder of a nightly run that hold files of the repository as they are, and indexes of them."""


@contextmanager
def work_directory(settings: Settings, command: str) -> Iterator[Path]:
    """A new folder below the data directory for the time of the ``with`` block, mode 700.

    :param command: the command that works there, the beginning of the folder's name.
    :raises UserError: the data directory cannot be written.
    """
    try:
        fsio.make_directories(settings.data_dir)
        folder = Path(tempfile.mkdtemp(prefix=f"{command}-", dir=settings.data_dir))
    except OSError as error:
        raise _not_writable(f"a folder in {settings.data_dir}", error) from error
    try:
        with lock.hold(folder / _IN_USE, "working there"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(settings: Settings, root: Path) -> None:
    """Remove copies of code that a command left when its process was killed: work folders, and those of nightly runs.

    What such a folder belongs to holds a lock as long as it lives. The data set and the checkpoints of a nightly run
    stay, for the run that continues it.
    """
    with suppress(OSError):
        for folder in list(os.scandir(settings.data_dir)):
            if _WORK_FOLDER.fullmatch(folder.name) and Path(folder.path, _IN_USE).is_file():
                _remove_unlocked(Path(folder.path, _IN_USE), [Path(folder.path)])
        night = nightly_work_directory(settings, root)
        copies = [night / name for name in _NIGHTLY_COPIES if (night / name).is_dir()]
        if copies:
            _remove_unlocked(nightly_lock_file(settings, root), copies)


def _remove_unlocked(lock_file: Path, folders: list[Path]) -> None:
    with suppress(OndolError, OSError), lock.hold(lock_file, "removing what a killed process left"):
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def settings_inside(settings: Settings, folder: Path) -> Settings:
    """The same settings with a data directory inside a work folder, so that the user's own data stay untouched."""
    return replace(settings, data_dir=folder / "data")
