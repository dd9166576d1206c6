"""Where the windows of one user meet their engine: a Unix socket that only the user can open, and a greeting.

Windows share an engine only where it would behave the same for each: equal settings of the process, one data folder,
one view of the file system. All of that is hashed into the socket's name. The greeting refuses another version.
A window imports this module; what only the start needs is imported there.
"""

import contextlib
import json
import os
import socket
import stat
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.errors import UserError

LONGEST_PATH: Final = 100
"""Systems take 104 to 108 bytes for the path of a socket."""

GREETING_S: Final = 5.0
LONGEST_GREETING: Final = 4_096


class Refused(Exception):
    """The engine that runs is of another version."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """The files of one shared engine, in a folder that only the user can open.

    :param version: of the window's installation; the engine has to be of the same.
    """

    folder: Path
    name: str
    version: str

    @property
    def socket(self) -> Path:
        """The socket that the engine listens on."""
        return self.folder / f"{self.name}.sock"

    @property
    def lock(self) -> Path:
        """The lock that the engine holds as long as it lives."""
        return self.folder / f"{self.name}.lock"


def meeting(overrides: Mapping[str, Any]) -> Meeting:
    """Find the place of the engine for these settings; creates the folder.

    :param overrides: settings from the command line.
    :raises UserError: this system has no such sockets, or the folder is not the user's alone.
    """
    import hashlib

    from indexer import config, fsio

    environ = os.environ
    settings, _ = config.load(None, environ, init_options=overrides)
    if os.name != "posix" or not hasattr(socket, "AF_UNIX"):
        raise UserError("this system has no Unix sockets", "each window has an engine of its own")
    same = {
        "overrides": {key: str(value) for key, value in overrides.items()},
        "environment": {key: value for key, value in environ.items() if key.startswith(config.ENVIRONMENT_PREFIX)},
        "settings": str(config.user_config_file()),
        "data": str(fsio.real_path(settings.data_dir)),
        "home": str(Path.home()),
        "path": environ.get("PATH", ""),
        "files": _file_system(),
    }
    name = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]
    found = Meeting(_folder(environ), name, version_here())
    if len(os.fsencode(found.socket)) > LONGEST_PATH:
        raise UserError(
            f"the path {found.socket} is too long for a socket, so this window has an engine of its own",
            "set XDG_RUNTIME_DIR to a shorter one",
        )
    return found


def _folder(environ: Mapping[str, str]) -> Path:
    """The folder of the sockets: mode 700, the user's own, no link."""
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and runtime.is_dir():
        folder = runtime / "ondol"
    else:
        import tempfile

        folder = Path(tempfile.gettempdir()) / f"ondol-{os.geteuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made ({error.strerror}), so this window has an engine of its own",
            "set XDG_RUNTIME_DIR to a folder of yours",
        ) from error
    wrong, cure = "", "remove it"
    if stat.S_ISLNK(found.st_mode):
        wrong = "is a link"
    elif not stat.S_ISDIR(found.st_mode):
        wrong = "is not a folder"
    elif found.st_uid != os.geteuid():
        wrong, cure = "belongs to another user", "set XDG_RUNTIME_DIR to a folder of yours"
    elif stat.S_IMODE(found.st_mode) & 0o077:
        wrong, cure = "can be opened by others", f"run `chmod 700 {folder}`"
    if wrong:
        raise UserError(f"{folder} {wrong}, so this window has an engine of its own", cure)
    return folder


def _file_system() -> str:
    """What names the view of the file system on Linux: a container that shares the folder has another one."""
    try:
        return str(Path("/proc/self/ns/mnt").readlink())
    except OSError:
        return ""


def version_here() -> str:
    """The version of this installation, and where it is."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("ondol")
    except PackageNotFoundError:
        number = "0"
    return f"{number} in {Path(__file__).resolve().parents[2]}"


# The greeting: one line from the window, one from the engine


def connect(place: Meeting) -> socket.socket:
    """Connect a window to the engine that runs, and greet it.

    :raises OSError: none runs, or it ends at this moment. :raises Refused: it is of another version.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(GREETING_S)
        made.connect(str(place.socket))
        if not is_same_user(made):
            raise OSError("the socket is not of this user")
        made.sendall(json.dumps({"version": place.version}).encode() + b"\n")
        answer = _line(made)
        if answer.get("version") != place.version:
            raise Refused(str(answer.get("version", "")))
        made.settimeout(None)
        return made
    except BaseException:
        made.close()
        raise


def _line(made: socket.socket) -> dict[str, Any]:
    """The engine's line; it sends nothing behind it before it is asked.

    :raises OSError: the engine closed the connection, or sent something else.
    """
    data = b""
    while not data.endswith(b"\n"):
        more = made.recv(LONGEST_GREETING)
        if not more or len(data) > LONGEST_GREETING:
            raise ConnectionResetError("the engine ended")
        data += more
    return decoded(data)


def decoded(data: bytes) -> dict[str, Any]:
    """A line of the greeting. :raises OSError: it is not one."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConnectionError("this is not the greeting of Ondol")
    return found


def is_same_user(made: socket.socket) -> bool:
    """Whether the process at the other end is of this user, where the system says it (Linux)."""
    if not sys.platform.startswith("linux"):
        return True
    _, user, _ = struct.unpack("3i", made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(user == os.geteuid())
