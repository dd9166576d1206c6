"""A real `ondol dashboard`, asked over HTTP."""

import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.support import console

PAGES = ("/", "/use", "/search", "/playground", "/index", "/nights", "/models", "/replay")


@dataclass
class Served:
    port: int
    token: str
    process: "subprocess.Popen[str]"

    def get(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body, headers=named)
            answer = connection.getresponse()
            fields = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, fields, answer.read().decode()
        finally:
            connection.close()

    def page(self, path: str) -> str:
        """A page, as the browser that has the cookie gets it."""
        status, _, text = self.get(path, Cookie=f"ondol-{self.port}={self.token}")
        assert status == 200, text
        return text

    def answer(self, values: dict[str, str], **headers: str) -> tuple[int, str, str]:
        """The answer to a question on the page Models: the status, where it leads, and its text."""
        own = {"Cookie": f"ondol-{self.port}={self.token}", "Origin": f"http://127.0.0.1:{self.port}"}
        named = {key: value for key, value in {**own, **headers}.items() if value}
        status, fields, text = self.get("/models", "POST", urlencode(values), **named)
        return status, fields.get("location", ""), text

    def question(self, query: str) -> dict[str, str]:
        """The hidden fields of a question."""
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.page(f"/models?{query}")))


@contextmanager
def serving(root: Path, data: Path, *more: str | Path, variables: dict[str, str] | None = None) -> Iterator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [console.SCRIPT, "dashboard", root, "--port", str(port), "--data-dir", data, *more]
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        found = re.fullmatch(rf"http://127\.0\.0\.1:{port}/\?token=([\w-]{{40,}})", address)
        assert found, address
        served = Served(port, found[1], process)
        for _ in range(240):
            try:
                served.get("/")
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.25)
        yield served
    finally:
        process.terminate()
        process.wait()
