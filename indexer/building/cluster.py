"""Builds the indexes of several repositories on a Ray cluster, one task for each.

A task is an ordinary build in one process, so an index is the one that this machine would make. The machines of the
cluster need the same version of Ondol, and see the repositories and the data folder under the same paths, for example
on a network drive; each task checks both. Ray runs a task again when its process or machine ends; a build that was
ended leaves the index as it was, so that is safe.
"""

import os
import re
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from indexer import fsio
from indexer.building.report import BuildReport
from indexer.config import Settings
from indexer.data_layout import repository_directory
from indexer.errors import OndolError, UserError
from indexer.installation import install_command
from indexer.repository.walk import walk
from indexer.storage import fingerprint

LOCAL: Final = "local"
"""The address of a cluster that is started on this machine and ends with the work."""

_ATTEMPTS: Final = 4
_LOOPBACK: Final = "127.0.0.1"
_REACHED_S: Final = 10
_LAST_PORT: Final = 65_535
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_TRIES: Final = {"RAY_NUM_REDIS_GET_RETRIES": "2", "RAY_py_gcs_connect_timeout_s": "10"}
"""How long Ray tries where something else listens at the address: 40 s, where it would for 14 minutes."""

_LONGEST_FOLDER: Final = 40
"""Characters of a folder in which Ray makes sockets, whose paths may have 107."""


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
        ``LOCAL``.
    :param workers: processes of a local cluster; 0 for one a core.
    :raises UserError: Ray is missing, or no cluster answers.
    """
    by_size = sorted(repositories, key=lambda one: -_file_bytes(*one))
    with _cluster(address, workers) as ray, _marked(repositories) as mark:
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


@contextmanager
def _cluster(address: str, workers: int) -> Iterator[Any]:
    """Connect to a cluster, or start one here, and leave it at the end."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    _check(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would report its use to its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # otherwise it warns of a later default
    if address != LOCAL:  # a slow machine needs more time to start one
        os.environ.update({name: value for name, value in _TRIES.items() if name not in os.environ})
    _authenticate(address)
    try:
        import ray  # it reads its variables now
    except ImportError:
        raise UserError("Ray is not installed", f"install it with `{install_command('cluster')}`") from None
    if address != LOCAL:
        with _connected(ray, address, {}):
            yield ray
        return
    with tempfile.TemporaryDirectory(prefix="ondol-", dir=_scratch(), ignore_cleanup_errors=True) as scratch:
        where = {"num_cpus": workers or os.cpu_count(), "include_dashboard": False, "_node_ip_address": _LOOPBACK}
        inner = Path(scratch, "ray")  # Ray opens it to everybody, and nobody else gets through the one around it
        if len(str(inner)) <= _LONGEST_FOLDER:
            where["_temp_dir"] = str(inner)  # its logs and sockets go with it
        with _connected(ray, address, where):
            yield ray


def _check(address: str) -> None:
    """Raise UserError for an address of a form that Ray does not take, or takes for another kind of connection."""
    found = _ADDRESS.fullmatch(address)
    if address not in (LOCAL, "auto") and not (found and 0 < int(found[2]) <= _LAST_PORT):
        raise UserError(
            f"{address!r} is no address of a Ray cluster",
            f"name its head as HOST:PORT, or use `--ray auto` or `--ray {LOCAL}`",
        )


def _scratch() -> str | None:
    """The folder for a local cluster's files: the system's where the user's is too long for a socket's path."""
    usual = tempfile.gettempdir()
    return "/tmp" if len(usual) + len("/ondol-12345678/ray") > _LONGEST_FOLDER and Path("/tmp").is_dir() else None  # noqa: S108


def _authenticate(address: str) -> None:
    """Have Ray send a token: a new one in a cluster of this process, else the user's, where there is one.

    Without this Ray would write a token into the home folder for a local cluster. Ray 2.60 starts a head with that
    token from then on, but does not send it to a head whose address is given.
    """
    if address == LOCAL:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    elif (Path.home() / ".ray" / "auth_token").exists() or {
        "RAY_AUTH_TOKEN",
        "RAY_AUTH_TOKEN_PATH",
    } & os.environ.keys():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


@contextmanager
def _connected(ray: Any, address: str, where: dict[str, Any]) -> Iterator[None]:
    try:
        _check_reachable(address)
        with chdir(sys.prefix):  # Ray has workers import from here first, and a repository may have a numpy.py
            ray.init(address, log_to_driver=False, logging_level="error", **where)
    except Exception as error:  # Ray raises a plain one where a busy machine does not start in time
        ray.shutdown()
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if address == LOCAL:
            raise UserError(
                f"Ray does not start on this machine ({said})", "run it again, or without `--ray`"
            ) from error
        raise UserError(
            f"no Ray cluster answers at {address} ({said})",
            f"start one with `ray start --head`, or use `--ray {LOCAL}` for this machine",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise OSError where nobody listens at ``host:port``; Ray would try for more than two minutes."""
    if found := _ADDRESS.fullmatch(address):
        socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=_REACHED_S).close()
