"""The process of one window: it carries messages between an editor and the engine that the windows share.

If the engine ends, the window starts another one or finds the one that another window started, tells it where the
editor is, and goes on; the editor notices a missing suggestion at most. Each window has such a process, so it has one
thread and imports little: with ``asyncio``, ``logging`` and the installed packages' paths it had 12 MB of its own.
What only the end of an engine needs is imported then. Imports nothing of the engine.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections import deque
from collections.abc import Callable

from lsp_server.relay import conversation
from lsp_server.relay.channel import Channel
from lsp_server.relay.conversation import Conversation
from lsp_server.relay.window_messages import CANCELLED, EMPTY, key_of, parsed, say
from lsp_server.server.framing import LOST_FRAMING, MAX_BODY, STALL_CHECK_S, FramingLost, framed

TYPE_CHECKING = False  # a name that type checkers take for true; `typing` takes .7 MB in each window's process
if TYPE_CHECKING:
    from typing import Any, Final

ASK_S: Final = 5.0
"""An engine that owes an answer and said nothing for this long is asked whether it lives, and has as long to say it."""

SHUTDOWN_S: Final = 1.5
"""An engine that does not answer ``shutdown`` for this long does not keep the editor from ending."""

FLUSH_S: Final = 0.5
STARTS: Final = 5
STARTS_WITHIN_S: Final = 60.0
"""A window whose engine ended so often within this time ends itself: something in it ends every engine."""


class Window:
    """One editor, and its connection to the engine of now.

    :param engine: descriptor of a connection to an engine.
    :param connect: gives that of another one when the engine has ended; called on a thread of its own.
    """

    def __init__(self, editor: Channel, engine: int, connect: Callable[[], int]) -> None:
        self._editor, self._connect = editor, connect
        self._engine: Channel | None = None
        self._code: int | None = None
        self._told = Conversation()
        self._asked: dict[str, dict[str, Any]] = {}
        self._waiting: list[dict[str, Any]] = []
        self._engine_asks: set[str] = set()
        self._registered: dict[str, str] = {}
        self._bars: set[str] = set()
        self._ends: deque[float] = deque(maxlen=STARTS)
        self._heard = 0.0
        self._asked_whether_alive: float | None = None
        self._silent = False
        self._given_up: set[str] = set()
        self._shutdown: tuple[float, dict[str, Any]] | None = None
        self._watched = False
        self._editor_process: int | None = None
        self._found: tuple[int, list[int]] | None = None
        self._use(engine)

    def run(self) -> int:
        """Carry messages until the editor ends; returns the exit code."""
        while self._code is None:
            self._turn()
        self._editor.flush(FLUSH_S)
        if self._engine is not None:
            self._engine.flush(FLUSH_S)
        return self._code

    def _stop(self, code: int) -> None:
        if self._code is None:
            self._code = code

    # What happens is waited for here, and nowhere else

    def _turn(self) -> None:
        """Wait until something can be read, written or checked, and do it."""
        poll, editor, engine = select.poll(), self._editor, self._engine
        poll.register(editor.read_fd, select.POLLIN)
        if editor.writing:
            poll.register(editor.write_fd, select.POLLOUT)
        if engine is not None:
            poll.register(engine.read_fd, select.POLLIN | (select.POLLOUT if engine.writing else 0))
        others = [self._editor_process, self._found[1][0] if self._found is not None else None]
        for descriptor in others:
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        ready = dict(poll.poll(self._patience_ms()))
        if editor.writing and ready.get(editor.write_fd):
            try:
                editor.write()
            except OSError:
                self._stop(1)
        if engine is not None and (state := ready.get(engine.read_fd)):
            self._serve_engine(engine, state)
        if ready.get(editor.read_fd):
            self._read_editor()
        if others[0] in ready:
            self._stop(1)
        if others[1] in ready:
            self._take_found()
        self._check()

    def _patience_ms(self) -> int | None:
        """How long nothing may happen before something has to be checked; None for ever."""
        engine = self._engine
        if self._shutdown is not None or self._editor.waiting or (engine is not None and engine.waiting):
            return int(1000 * STALL_CHECK_S)
        return 1000 if self._asked and not self._silent else None

    def _read_editor(self) -> None:
        try:
            bodies = self._editor.read()
            for body in bodies or ():
                self._from_editor(body)
        except FramingLost as lost:
            self._lost(lost)
            return
        if bodies is None:
            self._stop(0 if self._told.shut_down else 1)

    def _serve_engine(self, engine: Channel, state: int) -> None:
        try:
            if state & select.POLLOUT and engine.writing:
                engine.write()
            if state & ~select.POLLOUT:
                bodies = engine.read()
                for body in bodies or ():
                    self._from_engine(body)
                if bodies is None:
                    self._engine_ended(engine)
        except (FramingLost, OSError):
            self._engine_ended(engine)

    def _check(self) -> None:
        """Check what should have gone on by now."""
        try:
            self._editor.check()
        except FramingLost as lost:
            self._lost(lost)
        if self._engine is not None:
            try:
                self._engine.check()
            except FramingLost:
                self._engine_ended(self._engine)
        if self._shutdown is not None and time.monotonic() >= self._shutdown[0]:
            request, self._shutdown = self._shutdown[1], None
            self._give_up(request)
        self._check_alive()

    def _lost(self, lost: FramingLost) -> None:
        if self._code is None:
            say("error", "lost the framing of the protocol: %s; ending with %d", lost, LOST_FRAMING)
        self._stop(LOST_FRAMING)

    # The engine comes and goes

    def _use(self, connection: int) -> None:
        os.set_blocking(connection, False)
        self._engine = Channel(connection, connection)
        self._hear()

    def _hear(self) -> None:
        """Note that the engine lives."""
        self._heard, self._asked_whether_alive, self._silent = time.monotonic(), None, False

    def _check_alive(self) -> None:
        """Answer in place of an engine that does nothing, for example because its process was stopped.

        One that works for long on a request still answers the question whether it lives.
        """
        now = time.monotonic()
        if self._engine is None or self._silent or not self._asked or now - self._heard < ASK_S:
            return
        if self._asked_whether_alive is None:
            self._asked_whether_alive = now
            self._to_engine({"jsonrpc": "2.0", "id": conversation.AGAIN, "method": "ondol/alive", "params": {}})
        elif now - self._asked_whether_alive >= ASK_S:
            say("warning", "the engine does not answer; until it does, this window answers that there is nothing")
            self._silent = True
            for request in list(self._asked.values()):
                self._give_up(request)

    def _give_up(self, request: dict[str, Any]) -> None:
        """Answer a request in place of the engine, if it has not done so; what it says later is not passed on."""
        if key_of(request["id"]) in self._asked:
            self._given_up.add(key_of(request["id"]))
            self._answer_empty(request)

    def _engine_ended(self, engine: Channel) -> None:
        """Look for another engine, on a thread: it may take as long as one needs to start."""
        self._engine = None
        os.close(engine.read_fd)
        if self._code is not None:
            return
        self._ends.append(time.monotonic())
        if len(self._ends) == STARTS and self._ends[-1] - self._ends[0] < STARTS_WITHIN_S:
            say("error", "the engine ended %d times within %.0f s; this window ends", STARTS, STARTS_WITHIN_S)
            self._stop(1)
            return
        say("warning", "the engine ended; looking for another one")
        self._clear_up()
        import threading

        pipe = list(os.pipe())
        self._found = (-1, pipe)

        def find() -> None:
            try:
                self._found = self._connect(), pipe
            except Exception as error:
                from lsp_server.server.logs import describe

                say("error", "there is no engine: %s", describe(error))
            os.write(pipe[1], b"\n")

        threading.Thread(target=find, name="attach", daemon=True).start()

    def _take_found(self) -> None:
        """Go on with the engine that was found."""
        assert self._found is not None
        (connection, pipe), self._found = self._found, None
        for descriptor in pipe:
            os.close(descriptor)
        if connection < 0:
            self._stop(1)
            return
        self._use(connection)
        self._tell_again()

    def _clear_up(self) -> None:
        """Answer what the engine left open, and end in the editor what it had begun there."""
        for request in list(self._asked.values()):
            if request.get("method") != "initialize":  # which the next engine answers
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
        self._asked.pop(key_of(request["id"]), None)
        method = str(request.get("method"))
        if method in EMPTY:
            self._to_editor({"id": request["id"], "result": EMPTY[method]})
        else:
            error = {"code": CANCELLED, "message": "the engine ended or stopped while it worked on this; ask again"}
            self._to_editor({"id": request["id"], "error": error})

    # Messages

    def _from_editor(self, body: bytes) -> None:
        message = parsed(body)
        if message is None:
            self._pass_on(body)
            return
        method, asks = message.get("method"), "id" in message
        self._told.take(message)
        if method == "initialize" and not self._watched and self._told.process_id is not None:
            self._watch_editor(self._told.process_id)
        if method is None and asks:
            if key_of(message["id"]) in self._engine_asks:
                self._engine_asks.discard(key_of(message["id"]))
                self._pass_on(body)
        elif self._engine is not None:
            if asks:
                self._ask(message)
            self._pass_on(body)
        elif asks and method in EMPTY:
            self._answer_empty(message)
        elif asks:
            self._asked[key_of(message["id"])] = message
            if method != "initialize":  # which the next engine receives first of all
                self._waiting.append(message)
        if method == "exit":
            self._stop(0 if self._told.shut_down else 1)

    def _watch_editor(self, process_id: int) -> None:
        """End when the editor's process has ended, also where its pipe stays open in some other process."""
        from lsp_server.server import editor_process

        self._watched = True
        try:
            self._editor_process = editor_process.end_descriptor(process_id)
        except ProcessLookupError:
            return
        if self._editor_process is None:
            editor_process.watch(process_id, lambda: os._exit(1))

    def _ask(self, message: dict[str, Any]) -> None:
        """Note a request that goes to the engine."""
        if not self._asked and not self._silent:
            self._heard = time.monotonic()
        self._asked[key_of(message["id"])] = message
        if self._silent:
            self._give_up(message)
        elif message.get("method") == "shutdown":
            self._shutdown = time.monotonic() + SHUTDOWN_S, message

    def _from_engine(self, body: bytes) -> None:
        message = parsed(body)
        if message is None:
            return
        self._hear()
        method, asks = message.get("method"), "id" in message
        if method is None and asks:
            key = key_of(message["id"])
            if key in self._given_up:
                self._given_up.discard(key)
                return
            if message["id"] == self._told.initialize_id:
                self._told.initialized_with(message)
            if message["id"] == conversation.INITIALIZE and self._asked.pop(key_of(self._told.initialize_id), None):
                message = {**message, "id": self._told.initialize_id}  # the engine ended before it had answered
                self._told.initialized_with(message)
                self._to_editor(message)
                return
            if message["id"] in (conversation.INITIALIZE, conversation.AGAIN):
                return
            self._asked.pop(key, None)
        elif asks:
            self._engine_asks.add(key_of(message["id"]))
        self._note(str(method), message.get("params"))
        self._editor.put(framed(body))

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
            token, kind = key_of(params.get("token")), (params.get("value") or {}).get("kind")
            (self._bars.discard if kind == "end" else self._bars.add)(token)

    def _pass_on(self, body: bytes) -> None:
        if self._engine is not None:
            self._engine.put(framed(body))

    def _to_engine(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if len(body) > MAX_BODY:
            say("warning", "a document is too large to be sent again; open it again to get completions there")
            return
        self._pass_on(body)

    def _to_editor(self, message: dict[str, Any]) -> None:
        self._editor.put(framed(json.dumps({"jsonrpc": "2.0", **message}).encode()))
