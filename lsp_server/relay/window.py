"""The process of one window: it carries messages between an editor and the engine that the windows share.

If the engine ends, the window starts another one or finds the one that another window started, tells it where the
editor is, and goes on; the editor notices a missing suggestion at most. Imports nothing of the engine.
"""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from indexer.errors import UserError
from lsp_server.relay import conversation, meeting
from lsp_server.relay.conversation import Conversation
from lsp_server.relay.meeting import Meeting, Refused
from lsp_server.server import editor_process
from lsp_server.server.engine_thread import background, call_on
from lsp_server.server.logs import describe, set_up_logs
from lsp_server.server.transport import MAX_BODY, Transport, take_stdio

log = logging.getLogger(__name__)

START_S: Final = 30.0
"""An engine that does not answer this long after it was started is given up."""

LOOK_S: Final = 0.05
ASK_S: Final = 5.0
"""An engine that owes an answer and said nothing for this long is asked whether it lives, and has as long to say it."""

SHUTDOWN_S: Final = 1.5
"""An engine that does not answer ``shutdown`` for this long does not keep the editor from ending."""

FAILED_STARTS: Final = 3
"""An engine may be ended while it starts; one that fails so often in a row does not start here."""

STARTS: Final = 5
STARTS_WITHIN_S: Final = 60.0
"""A window whose engine ended so often within this time ends itself: something in it ends every engine."""

_EMPTY: Final[Mapping[str, Any]] = {
    "textDocument/inlineCompletion": {"items": []},
    "textDocument/completion": None,
    "textDocument/copilotInlineEdit": {"edits": []},
    "shutdown": None,
}
_CANCELLED: Final = -32802


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


class Window:
    """One editor, and its connection to the engine of now. Lives on the loop.

    :param connect: gives another connection when the engine has ended; called on a thread of its own.
    """

    def __init__(self, editor: Transport, connect: Callable[[], socket.socket]) -> None:
        self._editor, self._connect = editor, connect
        self._engine: Transport | None = None
        self._told = Conversation()
        self._asked: dict[str, dict[str, Any]] = {}
        self._waiting: list[dict[str, Any]] = []
        self._engine_asks: set[str] = set()
        self._registered: dict[str, str] = {}
        self._bars: set[str] = set()
        self._ends: deque[float] = deque(maxlen=STARTS)
        self._ending = False
        self._heard = 0.0
        self._asked_whether_alive: float | None = None
        self._silent = False
        self._given_up: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, first: socket.socket) -> int:
        """Carry messages until the editor ends; returns the exit code."""
        self._use(first)
        watching = asyncio.get_running_loop().create_task(self._watch())
        try:
            return await self._editor.run(self._from_editor, lambda: 0 if self._told.shut_down else 1)
        finally:
            self._ending = True
            watching.cancel()
            if self._engine is not None:
                self._engine.stop(0)

    # The engine comes and goes

    def _use(self, connection: socket.socket) -> None:
        transport = Transport(connection.fileno(), connection.fileno())
        task = asyncio.get_running_loop().create_task(self._follow(transport, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._engine = transport
        self._hear()

    def _hear(self) -> None:
        """Note that the engine lives."""
        self._heard, self._asked_whether_alive, self._silent = time.monotonic(), None, False

    async def _watch(self) -> None:
        """Answer in place of an engine that does nothing, for example because its process was stopped.

        One that works for long on a request still answers the question whether it lives.
        """
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            if self._engine is None or self._silent or not self._asked or now - self._heard < ASK_S:
                continue
            if self._asked_whether_alive is None:
                self._asked_whether_alive = now
                self._to_engine({"jsonrpc": "2.0", "id": conversation.AGAIN, "method": "ondol/alive", "params": {}})
            elif now - self._asked_whether_alive >= ASK_S:
                log.warning("the engine does not answer; until it does, this window answers that there is nothing")
                self._silent = True
                for request in list(self._asked.values()):
                    self._give_up(request)

    def _give_up(self, request: dict[str, Any]) -> None:
        """Answer a request in place of the engine, if it has not done so; what it says later is not passed on."""
        if _key(request["id"]) in self._asked:
            self._given_up.add(_key(request["id"]))
            self._answer_empty(request)

    async def _follow(self, transport: Transport, connection: socket.socket) -> None:
        """Take the engine's messages until it ends, then find another one."""
        await transport.run(self._from_engine, lambda: 0)
        self._engine = None
        if self._ending:
            return
        self._ends.append(time.monotonic())
        if len(self._ends) == STARTS and self._ends[-1] - self._ends[0] < STARTS_WITHIN_S:
            log.error("the engine ended %d times within %.0f s; this window ends", STARTS, STARTS_WITHIN_S)
            self._editor.stop(1)
            return
        log.warning("the engine ended; looking for another one")
        self._clear_up()
        try:
            found = await background(self._connect, "attach")
        except Exception as error:
            log.error("there is no engine: %s", describe(error))
            self._editor.stop(1)
            return
        connection.close()
        self._use(found)
        self._tell_again()

    def _clear_up(self) -> None:
        """Answer what the engine left open, and end in the editor what it had begun there."""
        for request in list(self._asked.values()):
            self._answer_empty(request)
        for token in sorted(self._bars):
            value = {"token": json.loads(token), "value": {"kind": "end"}}
            self._to_editor({"method": "$/progress", "params": value})
        gone = [{"id": name, "method": method} for name, method in self._registered.items()]
        if gone:
            params = {"unregisterations": gone}
            self._to_editor({"id": conversation.AGAIN, "method": "client/unregisterCapability", "params": params})
        self._bars.clear()
        self._registered.clear()
        self._engine_asks.clear()

    def _tell_again(self) -> None:
        for message in self._told.again():
            self._to_engine(message)
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._to_engine(message)

    def _answer_empty(self, request: dict[str, Any]) -> None:
        self._asked.pop(_key(request["id"]), None)
        method = str(request.get("method"))
        if method in _EMPTY:
            self._to_editor({"id": request["id"], "result": _EMPTY[method]})
        else:
            error = {"code": _CANCELLED, "message": "the engine ended or stopped while it worked on this; ask again"}
            self._to_editor({"id": request["id"], "error": error})

    # Messages

    def _from_editor(self, body: bytes) -> None:
        message = _parsed(body)
        if message is None:
            self._pass_on(body)
            return
        method, asks = message.get("method"), "id" in message
        self._told.take(message)
        if method == "initialize" and self._told.process_id is not None:
            loop = asyncio.get_running_loop()
            editor_process.watch(self._told.process_id, lambda: call_on(loop, lambda: self._editor.stop(1)))
        if method is None and asks:
            if _key(message["id"]) in self._engine_asks:
                self._engine_asks.discard(_key(message["id"]))
                self._pass_on(body)
        elif self._engine is not None:
            if asks:
                self._ask(message)
            self._pass_on(body)
            if method == "exit":
                self._editor.stop(0 if self._told.shut_down else 1)
        elif method == "exit":
            self._editor.stop(0 if self._told.shut_down else 1)
        elif asks and method in _EMPTY:
            self._answer_empty(message)
        elif asks and method != "initialize":
            self._asked[_key(message["id"])] = message
            self._waiting.append(message)

    def _ask(self, message: dict[str, Any]) -> None:
        """Note a request that goes to the engine."""
        if not self._asked and not self._silent:
            self._heard = time.monotonic()
        self._asked[_key(message["id"])] = message
        if self._silent:
            self._give_up(message)
        elif message.get("method") == "shutdown":
            asyncio.get_running_loop().call_later(SHUTDOWN_S, self._give_up, message)

    def _from_engine(self, body: bytes) -> None:
        message = _parsed(body)
        if message is None:
            return
        self._hear()
        method, asks = message.get("method"), "id" in message
        if method is None and asks:
            key = _key(message["id"])
            if key in self._given_up:
                self._given_up.discard(key)
                return
            if message["id"] == self._told.initialize_id:
                self._told.initialized_with(message)
            if message["id"] == conversation.INITIALIZE and self._asked.pop(_key(self._told.initialize_id), None):
                message = {**message, "id": self._told.initialize_id}  # the engine ended before it had answered
                self._told.initialized_with(message)
                self._to_editor(message)
                return
            if message["id"] in (conversation.INITIALIZE, conversation.AGAIN):
                return
            self._asked.pop(key, None)
        elif asks:
            self._engine_asks.add(_key(message["id"]))
        self._note(str(method), message.get("params"))
        self._editor.write(_framed(body))

    def _note(self, method: str, params: Any) -> None:
        """Note what the engine begins in the editor, to end it if the engine does not live to do so."""
        if not isinstance(params, dict):
            return
        if method == "client/registerCapability":
            self._registered |= {one["id"]: one["method"] for one in params["registrations"]}
        elif method == "client/unregisterCapability":
            for one in params["unregisterations"]:
                self._registered.pop(one["id"], None)
        elif method == "$/progress":
            token, kind = _key(params.get("token")), (params.get("value") or {}).get("kind")
            (self._bars.discard if kind == "end" else self._bars.add)(token)

    def _pass_on(self, body: bytes) -> None:
        if self._engine is not None:
            self._engine.write(_framed(body))

    def _to_engine(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if len(body) > MAX_BODY:
            log.warning("a document is too large to be sent again; open it again to get completions there")
            return
        self._pass_on(body)

    def _to_editor(self, message: dict[str, Any]) -> None:
        self._editor.write(_framed(json.dumps({"jsonrpc": "2.0", **message}).encode()))


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _key(identifier: Any) -> str:
    """An id of the protocol as text: 1 and "1" are two ids."""
    return json.dumps(identifier)


def become_window(first: socket.socket, place: Meeting, command: list[str]) -> None:
    """Turn this process into a window without what only the start needed: 12 MB of its own instead of 17.

    :param first: a connection to the engine. :param command: starts another engine when that has ended.
    """
    os.set_inheritable(first.fileno(), True)
    given = json.dumps([first.fileno(), str(place.folder), place.name, place.version, command])
    program = "from lsp_server.relay.window import main; main()"
    os.execv(sys.executable, [sys.executable, "-P", "-c", program, given])  # noqa: S606 - a program of our own, without a shell


def main() -> None:
    """Serve an editor on stdin and stdout through the shared engine, then end the process."""
    number, folder, name, version, command = json.loads(sys.argv[1])
    place, first = Meeting(Path(folder), name, version), socket.socket(fileno=number)
    os.set_inheritable(number, False)
    descriptors = take_stdio()
    set_up_logs()

    async def run() -> int:
        return await Window(Transport(*descriptors), lambda: attach(place, command, patient=True)).run(first)

    try:
        code = asyncio.run(run())
    except Exception as error:
        log.error("the window failed: %s", describe(error))
        code = 3
    sys.stderr.flush()
    os._exit(code)
