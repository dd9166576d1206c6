"""Builds the indexes of several repositories on a Ray cluster, one task for each.

A task is an ordinary build in one process, so an index is the one that this machine would make. The machines of the
cluster need the same version of Ondol, and see the repositories and the data folder under the same paths, for example
on a network drive; each task checks both. Ray runs a task again when its process or machine ends; a build that was
ended leaves the index as it was, so that is safe.
"""

import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from indexer import fsio
from indexer.building.ray_connection import connected
from indexer.building.report import BuildReport
from indexer.config import Settings
from indexer.data_layout import repository_directory
from indexer.errors import OndolError, UserError
from indexer.repository.walk import walk
from indexer.storage import fingerprint

_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Task:
    """One repository to index.

    :param shape: what :func:`fingerprint.shape` says here; another version of Ondol says something else.
    :param mark: a file in the data folder that a machine must see, with ``secret`` in it.
    """

    root: Path
    settings: Settings
    full: bool
    shape: str
    mark: Path
    secret: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a repository: its report, or one sentence that says why there is none."""

    root: Path
    report: BuildReport | None
    problem: str = ""


def build_in_turn(repositories: Sequence[tuple[Path, Settings]], *, full: bool = False) -> Iterator[Outcome]:
    """Index repositories here, one after the other; yields what became of each."""
    for root, settings in repositories:
        yield _outcome(root, settings, full)


def build_on(
    address: str, repositories: Sequence[tuple[Path, Settings]], *, full: bool = False, workers: int = 0
) -> Iterator[Outcome]:
    """Index repositories on a cluster; yields what became of each as soon as it is known.

    :param address: ``host:port`` of the cluster's head, ``auto`` for the one that this machine belongs to, or
        ``ray_connection.LOCAL``.
    :param workers: processes of a local cluster; 0 for one a core.
    :raises UserError: Ray is missing, or no cluster answers.
    """
    by_size = sorted(repositories, key=lambda one: -_file_bytes(*one))
    with connected(address, workers) as ray, _marked(repositories) as mark:
        run = ray.remote(num_cpus=1, max_retries=_ATTEMPTS - 1)(build_one)
        waiting = {}
        for root, settings in by_size:
            task = Task(root, replace(settings, workers=1), full, fingerprint.shape(), *mark)
            waiting[run.remote(task)] = root
        while waiting:
            ready, _ = ray.wait(list(waiting))
            root = waiting.pop(ready[0])
            try:
                outcome = ray.get(ready[0])
            except ray.exceptions.RayError as error:
                said = str(error).strip().splitlines()
                why = f"{type(error).__name__}: {said[-1] if said else ''}"
                what = f"the task ended {_ATTEMPTS} times without a result"
                if isinstance(error, ray.exceptions.RayTaskError):  # it is not run again
                    what = "the task did not begin, or has a fault"
                outcome = Outcome(root, None, f"{what} ({why}); run it again.")
            yield outcome


def _file_bytes(root: Path, settings: Settings) -> int:
    """How large a repository's files are: the largest are begun first, so that none of them is left at the end."""
    try:
        return sum(entry.size for entry in walk(root, settings)[0])
    except (OndolError, OSError):
        return 0  # its task says why


def build_one(task: Task) -> Outcome:
    """Index one repository on a machine of the cluster."""
    host = socket.gethostname()
    try:
        seen = task.mark.read_text("ascii")
    except OSError:
        seen = ""
    try:
        if seen != task.secret:
            raise UserError(f"{host} does not see the data folder {task.mark.parent}", "share it under this path")
        if fingerprint.shape() != task.shape:
            raise UserError(
                f"{host} has another version of Ondol, or of a package that it uses", "install the same one"
            )
        if not task.root.is_dir():
            raise UserError(f"{host} does not see {task.root}", "share it under this path")
    except OndolError as error:
        return Outcome(task.root, None, str(error))
    return _outcome(task.root, task.settings, task.full)


def _outcome(root: Path, settings: Settings, full: bool) -> Outcome:
    from indexer.building.build import build

    try:
        return Outcome(root, build(root, settings, full=full))
    except OndolError as error:
        return Outcome(root, None, str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return Outcome(root, None, f"{place}{error.strerror or error}; check that it exists and may be read.")


@contextmanager
def _marked(repositories: Sequence[tuple[Path, Settings]]) -> Iterator[tuple[Path, str]]:
    """Make a file in the data folder, by which a machine shows that it sees the folder."""
    root, settings = repositories[0]
    mark = repository_directory(settings, root).parent / f"cluster-{os.getpid()}"
    secret = secrets.token_hex(16)
    fsio.make_directories(mark.parent)
    fsio.replace_file(mark, secret.encode(), durable=False)
    try:
        yield mark, secret
    finally:
        with suppress(OSError):
            fsio.unlink(mark)
