"""An HTTP server on this machine that answers completion requests as a test says."""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STREAM = "text/event-stream"
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Record each request, and let ``answer`` write the response."""

    answer: Answer
    seen: list[dict[str, Any]]
    hung_up: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append({"path": self.path, "headers": dict(self.headers), **json.loads(body)})
        with contextlib.suppress(OSError):
            self.answer()

    def log_message(self, *args: object) -> None:
        pass

    def stream(self, *texts: str, pause: float = 0.0, key: str = "choices", done: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        for text in texts:
            event = {"choices": [{"text": text}]} if key == "choices" else {"content": text, "stop": False}
            try:
                self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                self.wfile.flush()
            except OSError:
                self.hung_up.set()
                raise
            time.sleep(pause)
        if done:
            self.wfile.write(b"data: [DONE]\n\n")

    def body(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, type[Handler]]]:
    """Run the server; yield its address and the class that holds the requests it has seen."""
    handler = type("One", (Handler,), {"answer": answer, "seen": [], "hung_up": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        server.server_close()
