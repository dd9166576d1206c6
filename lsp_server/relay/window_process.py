"""Turns a process into the one of a window, and is its main function. Imports little, as ``window``."""

from __future__ import annotations

import json
import os
import signal
import sys

from lsp_server.relay.channel import Channel
from lsp_server.relay.window import Window
from lsp_server.relay.window_messages import say
from lsp_server.server.stdio import take_stdio

TYPE_CHECKING = False  # a name that type checkers take for true; `typing` takes .7 MB in each window's process
if TYPE_CHECKING:
    from socket import socket
    from typing import NoReturn

    from lsp_server.relay.meeting import Meeting


def become_window(first: socket, place: Meeting, command: list[str]) -> NoReturn:
    """Turn this process into a window without what only the start needed.

    It has the standard library and behind it the folder of this installation, without what other packages do when
    Python starts.

    :param first: a connection to the engine. :param command: starts another engine when that has ended.
    :raises OSError: there is no interpreter to go on with.
    """
    from pathlib import Path

    if not sys.executable:
        raise FileNotFoundError("this Python does not know its own interpreter")
    os.set_inheritable(first.fileno(), True)
    given = json.dumps([first.fileno(), str(place.folder), place.name, place.version, command])
    code = Path(__file__).resolve().parents[2]
    program = f"import sys; sys.path.append({str(code)!r}); from lsp_server.relay.window_process import main; main()"
    arguments = [sys.executable, "-P", "-s", "-S", "-c", program, given]
    os.execv(sys.executable, arguments)  # noqa: S606 - a program of our own, without a shell


def main() -> None:
    """Serve an editor on stdin and stdout through the shared engine, then end the process."""
    number, folder, name, version, command = json.loads(sys.argv[1])
    os.set_inheritable(number, False)
    starting: list[bool] = []

    def reap(*_: object) -> None:
        """Take note of ended engines that this window has started; a start waits for its own ones itself."""
        try:
            while not starting and os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def another() -> int:
        from pathlib import Path

        from lsp_server.relay.attaching import attach
        from lsp_server.relay.meeting import Meeting

        starting.append(True)
        try:
            return attach(Meeting(Path(folder), name, version), command, patient=True).detach()
        finally:
            starting.clear()
            reap()

    signal.signal(signal.SIGCHLD, reap)
    reap()
    try:
        code = Window(Channel(*take_stdio()), number, another).run()
    except Exception as error:
        from lsp_server.server.logs import describe

        say("error", "the window failed: %s", describe(error))
        code = 3
    sys.stderr.flush()
    os._exit(code)
