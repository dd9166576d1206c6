"""How a process gets a connection to the engine of its user."""

import socket
import subprocess
import time
from typing import Final

from indexer.errors import UserError
from lsp_server.relay import meeting
from lsp_server.relay.meeting import Meeting, Refused

START_S: Final = 30.0
"""An engine that does not answer this long after it was started is given up."""

LOOK_S: Final = 0.05

FAILED_STARTS: Final = 3
"""An engine may be ended while it starts; one that fails so often in a row does not start here."""


class NoEngine(UserError):
    """No engine can be shared; the window has to do without."""


def attach(place: Meeting, command: list[str], *, patient: bool = False) -> socket.socket:
    """Connect to the engine of this user, and start it if none runs.

    :param command: starts an engine that listens on the socket of ``place``.
    :param patient: wait for an engine that does not answer, as a window that cannot serve alone any more.
    :raises NoEngine: another version runs, or none can be started.
    """
    end, started, failed = time.monotonic() + START_S, None, 0
    while True:
        try:
            return meeting.connect(place)
        except Refused as refused:
            raise NoEngine(
                f"another version of Ondol ({refused}) serves other windows, so this one has an engine of its own",
                "restart the other windows to share one",
            ) from None
        except OSError as error:
            # A started engine that ended well waited 5 s for the lock of one that cannot be reached.
            unreachable = isinstance(error, TimeoutError) or (started is not None and started.poll() == 0)
            if time.monotonic() > end or (unreachable and not patient):
                raise NoEngine(
                    f"the shared engine does not answer ({type(error).__name__}), so this window has one of its own",
                    "see engine.log in the data folder",
                ) from error
        if started is None or started.poll() is not None:
            failed += started is not None and started.returncode != 0
            if failed == FAILED_STARTS:
                raise NoEngine("the shared engine did not start", "see engine.log in the data folder")
            started = _start(command)
        time.sleep(LOOK_S)


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    """Start an engine apart from this window; it ends at once if another one was faster."""
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, cwd="/", start_new_session=True)
