"""A small client of the protocol over stdio, for the benchmarks and the tests.

It does not use pygls or the server's modules, so that it cannot share their mistakes.
"""

import contextlib
import itertools
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from indexer.errors import Fault

PATIENCE_S = 90.0
"""How long to wait for a reply; long, so that a busy machine does not fail a test."""

ENCODINGS = ("utf-16", "utf-8", "utf-32")


class Client:
    """A server process and the two ends of its pipes. Use it in a ``with`` block.

    :param command: starts the server.
    :param env: the child's environment; None for this process's.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(os.environ if env is None else env),
        )
        self.errors = bytearray()
        self.stray = bytearray()
        self.messages: list[dict[str, Any]] = []
        self.replies: dict[Any, tuple[float, dict[str, Any]]] = {}
        self.answers: Callable[[dict[str, Any]], Any] = lambda message: None
        self._news = threading.Condition()
        self._ids = itertools.count(1)
        self._writing = threading.Lock()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Sending

    def send_bytes(self, data: bytes) -> None:
        """Send bytes unchanged; does not report that the server has ended."""
        assert self.process.stdin is not None
        with self._writing, contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    def begin(self, method: str, params: Any = None) -> int:
        """Send a request and return its id."""
        identifier = next(self._ids)
        self.send({"id": identifier, "method": method, "params": params})
        return identifier

    def request(self, method: str, params: Any = None, seconds: float = PATIENCE_S) -> Any:
        """Send a request and return its result.

        :raises Fault: an error came back, or nothing in time.
        """
        reply = self.wait(self.begin(method, params), seconds)
        if "error" in reply:
            raise Fault(f"{method}: {reply['error']}")
        return reply.get("result")

    # Receiving

    def wait(self, identifier: Any, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Return the reply to a request.

        :raises Fault: nothing came in time, or the server ended.
        """
        if not self._until(lambda: identifier in self.replies, seconds):
            ended = self.process.poll()
            tail = self.errors[-2000:].decode("utf-8", "replace")
            raise Fault(f"no reply to request {identifier} in {seconds} s (server ended with {ended}): {tail}")
        return self.replies[identifier][1]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Return the first notification or request of the server that fits, an earlier one included.

        :raises Fault: none came in time.
        """
        seen = [0]

        def found() -> bool:
            while seen[0] < len(self.messages):
                if wanted(self.messages[seen[0]]):
                    return True
                seen[0] += 1
            return False

        if not self._until(found, seconds):
            raise Fault(f"the message waited for did not come in {seconds} s")
        return self.messages[seen[0]]

    def wait_state(self, name: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until ``ondol/status`` reports this state; returns the status.

        :raises Fault: it reports ``problem``, or the state does not come in time.
        """
        ends = {name, "problem"}
        message = self.wait_for(lambda m: m.get("method") == "ondol/status" and m["params"]["state"] in ends, seconds)
        params: dict[str, Any] = message["params"]
        if params["state"] != name:
            raise Fault(f"the server has a problem: {params['message']}")
        return params

    def of(self, method: str) -> list[Any]:
        """The parameters of all notifications of a method so far."""
        return [message.get("params") for message in list(self.messages) if message.get("method") == method]

    # A session

    def initialize(
        self,
        folders: Sequence[Path] = (),
        encodings: Sequence[str] = ENCODINGS,
        options: Mapping[str, Any] | None = None,
        capabilities: Mapping[str, Any] | None = None,
        process_id: int | None = None,
    ) -> dict[str, Any]:
        """Send ``initialize`` and ``initialized``; returns the result.

        :param process_id: of the editor; None for this process.
        """
        common = {
            "general": {"positionEncodings": list(encodings)},
            "textDocument": {"inlineCompletion": {}, "synchronization": {"didSave": True}},
            "window": {"workDoneProgress": True},
            "workspace": {"workspaceFolders": True},
        }
        params = {
            "processId": process_id or os.getpid(),
            "rootUri": folders[0].as_uri() if folders else None,
            "capabilities": {**common, **(capabilities or {})},
            "initializationOptions": dict(options or {}),
            "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name} for folder in folders] or None,
        }
        result: dict[str, Any] = self.request("initialize", params)
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str, language: str = "python", version: int = 1) -> None:
        """Open a document."""
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, *changes: Mapping[str, Any]) -> None:
        """Change a document; see :func:`edit`."""
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
        )

    def ask(self, uri: str, line: int, character: int, *, automatic: bool = False, **context: Any) -> int:
        """Request an inline completion; returns the request's id."""
        return self.begin(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": 2 if automatic else 1, **context},
            },
        )

    def complete(
        self, uri: str, line: int, character: int, *, automatic: bool = False, seconds: float = PATIENCE_S
    ) -> Any:
        """Request an inline completion and wait for it; returns its items, or None for a null answer."""
        reply = self.wait(self.ask(uri, line, character, automatic=automatic), seconds)
        if "error" in reply:
            raise Fault(f"inlineCompletion: {reply['error']}")
        result = reply["result"]
        return None if result is None else result["items"]

    def command(self, name: str, *arguments: Any) -> Any:
        """Execute a command of the server."""
        return self.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    def stop(self, seconds: float = 20) -> int:
        """Shut the server down as an editor does; kill it if it does not end. Returns the exit code."""
        if self.process.poll() is None:
            with contextlib.suppress(Fault):
                self.request("shutdown", None, seconds)
            self.notify("exit")
        with contextlib.suppress(OSError, ValueError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for thread in self._threads:
            thread.join(2)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    # Threads

    def _until(self, done: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with self._news:
            while not done():
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self._threads[0].is_alive()):
                    return done()
                self._news.wait(min(left, 0.1))
        return True

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        with contextlib.suppress(ValueError):
            length = None
            while line := stream.readline():
                name, colon, value = line.strip().partition(b":")
                if colon and name.lower() == b"content-length":
                    length = int(value)
                elif not line.strip() and length is not None:
                    self._take(json.loads(stream.read(length)))
                    length = None
                elif name.lower() != b"content-type":
                    self.stray += line

    def _take(self, message: dict[str, Any]) -> None:
        now = time.perf_counter()
        with self._news:
            if "id" in message and "method" not in message:
                self.replies[message["id"]] = (now, message)
            else:
                self.messages.append(message)
            self._news.notify_all()
        if "id" in message and "method" in message:
            self.send({"id": message["id"], "result": self.answers(message)})

    def _read_errors(self) -> None:
        stream = self.process.stderr
        assert stream is not None
        with contextlib.suppress(ValueError):
            while data := stream.read1(65536):  # type: ignore[attr-defined]
                self.errors += data
                del self.errors[:-200_000]


def edit(line: int, character: int, text: str, end: tuple[int, int] | None = None) -> dict[str, Any]:
    """A change that replaces the text between a position and ``end`` (default: the same position) by ``text``."""
    stop = end or (line, character)
    span = {"start": {"line": line, "character": character}, "end": {"line": stop[0], "character": stop[1]}}
    return {"range": span, "text": text}
