"""The process of the engine that the windows of one user share: one server for each window, in one process.

Index, model and rules are in memory once, and one thread does the work of all windows, the urgent work first.
Documents, settings and refusals belong to a window: what is not saved in one is in no answer of another. The engine
ends when the last window has been gone for a while.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from indexer import config, fsio, lock
from indexer.data_layout import engine_log_file
from indexer.errors import Locked
from lsp_server.relay import meeting
from lsp_server.server import edit_handlers, handlers
from lsp_server.server.app import Server
from lsp_server.server.engine_thread import Job, Worker
from lsp_server.server.factories import Factories, SharedIndexes
from lsp_server.server.logs import describe, set_up_logs
from lsp_server.server.main import SWITCH_INTERVAL_S
from lsp_server.server.memory import PAUSE_S, collect_in_pauses, few_arenas, give_back, give_back_free
from lsp_server.server.transport import Transport

log = logging.getLogger(__name__)

IDLE_S: Final = 10.0
"""How long the engine waits for a window after the last one, for example while an editor is loaded again."""

TAKE_OVER_S: Final = 5.0
"""How long a new engine waits for the end of one that is ending."""

REACHABLE_S: Final = 1.0
"""How often the engine looks whether its socket is still there; cleaners of temporary folders remove such files."""

CLOSE_S: Final = 1.0
LOG_BYTES: Final = 4_000_000
LOG_LOOK_S: Final = 60.0
BACKLOG: Final = 64


class SharedEngine:
    """The windows of one user. Lives on the loop."""

    def __init__(self, overrides: Mapping[str, Any], factories: Factories) -> None:
        self._overrides, self._factories = overrides, factories
        self._worker = Worker()
        self._windows: dict[Transport, Server] = {}
        self._greeted: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._listening: socket.socket | None = None
        self._end = asyncio.get_running_loop().create_future()

    async def run(self, path: Path) -> None:
        """Serve windows at the socket ``path`` until none has come for a while, or :meth:`stop`."""
        loop = asyncio.get_running_loop()
        self._listen(path)
        tasks = [loop.create_task(self._stay_reachable(path)), loop.create_task(self._stay_small())]
        self._wait_for_windows()
        try:
            await self._end
        finally:
            for task in tasks:
                task.cancel()
            self._stop_listening()
            path.unlink(missing_ok=True)
            for server in self._windows.values():
                server.close()

    def _listen(self, path: Path) -> None:
        """Listen at ``path``, in place of what was there. :raises OSError: that is impossible."""
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        finally:
            os.umask(before)
        listening.setblocking(False)
        self._stop_listening()
        self._listening = listening
        asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    def _stop_listening(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening.fileno())
            self._listening.close()
            self._listening = None

    async def _stay_reachable(self, path: Path) -> None:
        """Listen again where the socket was removed; without its lock another engine may have taken the place."""
        while True:
            await asyncio.sleep(REACHABLE_S)
            if path.exists() or not path.with_suffix(".lock").exists():
                continue
            log.warning("the socket was removed; listening again")
            try:
                self._listen(path)
            except OSError as error:
                log.warning("listening again failed: %s", describe(error))

    async def _stay_small(self) -> None:
        """Give back twice a second what is free, if there was work: four windows that type leave holes of 10 MB.

        That takes 2 to 4 ms between two jobs, and waits for no pause, since windows that type at once leave none. With
        two seconds in between, and only in pauses, the holes were back after the last key. A larger share of the memory
        that goes back at once, by a fixed threshold of the C library for blocks of their own, made a key a third
        slower.
        """
        seen = 0
        while True:
            await asyncio.sleep(PAUSE_S + 0.1)  # behind the pause that began with the last job
            if self._worker.begun != seen:
                self._worker.put(Job(lambda _: give_back_free(), asyncio.get_running_loop()), urgent=True)
                seen = self._worker.begun + 1

    def stop(self) -> None:
        """End :meth:`run`."""
        if not self._end.done():
            self._end.set_result(None)

    def _wait_for_windows(self) -> None:
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self.stop)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError as error:
            log.warning("a window could not be taken: %s", describe(error))
            return
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._greeted.add(task)
        task.add_done_callback(self._greeted.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """Greet a window and serve it to its end."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(meeting.GREETING_S):
                same = await _greet(connection)
            if same:
                connection.setblocking(True)
                await self._serve_window(connection)
        except (OSError, TimeoutError) as error:
            log.info("a window did not greet: %s", type(error).__name__)
        except Exception as error:
            log.error("a window failed: %s", describe(error))
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # ends the thread that reads
        loop.call_later(CLOSE_S, connection.close)
        if len(self._greeted) == 1 and self._idle is None:
            self._wait_for_windows()

    async def _serve_window(self, connection: socket.socket) -> None:
        transport = Transport(connection.fileno(), connection.fileno())
        server = Server(transport, self._overrides, self._factories, self._worker)
        edit_handlers.register(server, handlers.register(server))
        self._windows[transport] = server
        log.info("windows: %d", len(self._windows))

        def receive(body: bytes) -> None:
            if transport in self._windows:
                self._windows[transport].protocol.receive(body)

        try:
            await transport.run(receive, lambda: 0)
        finally:
            del self._windows[transport]
            log.info("windows: %d", len(self._windows))
            server.close()
            del server
            asyncio.get_running_loop().call_later(CLOSE_S, self._free)

    def _free(self) -> None:
        """Free what a window has left, between two jobs of the others."""
        self._worker.put(Job(lambda _: give_back(), asyncio.get_running_loop()), urgent=False)


async def _greet(connection: socket.socket) -> bool:
    """Read a window's greeting and answer it; returns whether it is of this version.

    :raises OSError: it is not a greeting.
    """
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    if not meeting.is_same_user(connection):
        raise ConnectionError("another user")
    data = b""
    while not data.endswith(b"\n") and len(data) < meeting.LONGEST_GREETING:
        more = await loop.sock_recv(connection, meeting.LONGEST_GREETING)
        if not more:
            raise ConnectionError("closed")
        data += more
    theirs = meeting.decoded(data).get("version")
    ours = meeting.version_here()
    await loop.sock_sendall(connection, json.dumps({"version": ours}).encode() + b"\n")
    if theirs != ours:
        log.info("a window of another version was refused")
    return bool(theirs == ours)


async def _run(path: Path, overrides: Mapping[str, Any], factories: Factories) -> None:
    """Listen and serve; the caller holds the lock, so a socket that is there is of an engine that has ended."""
    engine = SharedEngine(overrides, factories)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.stop)
    shortening = loop.create_task(_keep_log_short())
    log.info("serving windows (%s)", meeting.version_here())
    try:
        await engine.run(path)
    finally:
        shortening.cancel()
    log.info("ended")


def _log_to_file(overrides: Mapping[str, Any]) -> None:
    """Let standard output and error be the engine's log; they stay what they are where it cannot be written."""
    settings, _ = config.load(None, init_options=overrides)
    with contextlib.suppress(OSError):
        fsio.make_directories(settings.data_dir)
        descriptor = os.open(engine_log_file(settings), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(descriptor, number)
        os.close(descriptor)


async def _keep_log_short() -> None:
    """Empty the log when it is long; what is written to it goes to its end in any case."""
    while True:
        with contextlib.suppress(OSError):
            if os.fstat(2).st_size > LOG_BYTES:
                os.ftruncate(2, 0)
        await asyncio.sleep(LOG_LOOK_S)


def run_engine(path: Path, overrides: Mapping[str, Any]) -> None:
    """Be the engine of the socket at ``path``, if no other process is; then end the process.

    :param overrides: settings from the command line.
    """
    _log_to_file(overrides)
    few_arenas()
    collect_in_pauses()
    set_up_logs()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    code = 0
    try:
        with lock.hold(path.with_suffix(".lock"), "serving windows", TAKE_OVER_S):
            asyncio.run(_run(path, overrides, Factories(open_index=SharedIndexes())))
    except Locked:
        pass  # another window has started one meanwhile
    except Exception as error:
        log.error("the engine failed: %s", describe(error))
        code = 3
    os._exit(code)  # the engine's thread may be inside a native library, and must not delay or crash the exit
