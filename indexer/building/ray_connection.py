"""Connects to a Ray cluster, or starts one on this machine.

Ray takes its settings from variables of the environment when it is imported, so they are set here first. Nothing else
imports it.
"""

import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from indexer.errors import UserError
from indexer.installation import install_command

LOCAL: Final = "local"
"""The address of a cluster that is started on this machine and ends with the work."""

_LOOPBACK: Final = "127.0.0.1"
_REACHED_S: Final = 10
_LAST_PORT: Final = 65_535
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_TRIES: Final = {"RAY_NUM_REDIS_GET_RETRIES": "2", "RAY_py_gcs_connect_timeout_s": "10"}
"""How long Ray tries where something else listens at the address: 40 s, where it would for 14 minutes."""

_LONGEST_FOLDER: Final = 40
"""Characters of a folder in which Ray makes sockets, whose paths may have 107."""

_STARTS: Final = 2
"""Of a local cluster. Ray gives up after 30 s; on two cores at a load of 7 to 11, 3 of 20 starts took longer."""


@contextmanager
def connected(address: str, workers: int) -> Iterator[Any]:
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
        return
    named = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if named or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


@contextmanager
def _connected(ray: Any, address: str, where: dict[str, Any]) -> Iterator[None]:
    try:
        _check_reachable(address)
        with chdir(sys.prefix):  # Ray has workers import from here first, and a repository may have a numpy.py
            _init(ray, address, where)
    except Exception as error:  # Ray raises a plain one where a busy machine does not start in time
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if address == LOCAL:
            raise UserError(
                f"Ray does not start on this machine ({said})", "run it again, or without `--ray`"
            ) from error
        raise UserError(
            f"no Ray cluster answers at {address} ({said})",
            f"start one with `ray start --head`, or use `--ray {LOCAL}` for this machine",
        ) from error
    with _ends_by_sigterm():
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _ends_by_sigterm() -> Iterator[None]:
    """Leave the block at SIGTERM, and exit with the status of a process that it ended.

    Ray's own handler prints addresses of its code and aborts. While Ray waits it lets only KeyboardInterrupt through,
    and turns SystemExit into another one with the status 1.
    """
    if threading.current_thread() is not threading.main_thread():  # only that one can have a handler
        yield
        return
    received = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        if not received:
            raise
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _init(ray: Any, address: str, where: dict[str, Any]) -> None:
    """Connect; a local cluster that does not start is started once more."""
    for left in reversed(range(_STARTS if address == LOCAL else 1)):
        try:
            ray.init(address, log_to_driver=False, logging_level="error", **where)
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise


def _check_reachable(address: str) -> None:
    """Raise OSError at once where nobody listens at ``host:port``; Ray would go on trying."""
    if found := _ADDRESS.fullmatch(address):
        socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=_REACHED_S).close()
