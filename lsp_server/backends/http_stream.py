"""Streams the answers of a completion server: one request per connection, read on a thread of the client.

A caller takes the pieces of text as they arrive, with a deadline, and may hang up at any time. Redirects are not
followed, proxies of the environment are not used, certificates are verified, answers are bounded.
"""

import asyncio
import contextlib
import json
import queue
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx2

from lsp_server.backends.base import Cancelled
from lsp_server.errors import BackendProblem

_MAX_ANSWER: Final = 1_000_000  # bytes; a completion of 256 tokens streams as about 60,000
_MAX_ERROR: Final = 2000  # bytes read of an error's page
_CONNECT_SECONDS: Final = 2.0
_SILENCE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.01


class HttpClient:
    """An HTTP client and the thread on which it reads.

    :param trusts_system: whether to load the system's certificates (0.1 s), which only TLS needs; without them no
        certificate is trusted.
    """

    def __init__(self, *, trusts_system: bool) -> None:
        tls = ssl.create_default_context() if trusts_system else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._http = httpx2.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            verify=tls,
            timeout=httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
            limits=httpx2.Limits(max_keepalive_connections=0),
        )
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="http", daemon=True).start()

    def post(self, url: str, body: dict[str, Any], token: str = "") -> "Exchange":
        """Start a request.

        :param body: sent as JSON.
        :param token: sent as a bearer token.
        """
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Connection": "close"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = self._http.build_request("POST", url, json=body, headers=headers)
        return Exchange(self._http, request, self._loop, as_ids=isinstance(body.get("prompt"), list))

    def close(self) -> None:
        """End the thread."""
        with contextlib.suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()


class Exchange:
    """One request in flight. The client's thread reads the answer; the caller takes its pieces and may hang up.

    :param loop: runs on the client's thread.
    :param as_ids: whether the prompt was sent as token ids.
    """

    def __init__(
        self, http: httpx2.AsyncClient, request: httpx2.Request, loop: asyncio.AbstractEventLoop, *, as_ids: bool
    ) -> None:
        self._http, self._request, self._as_ids = http, request, as_ids
        self._arrived: queue.SimpleQueue[str | BackendProblem | None] = queue.SimpleQueue()
        self.received = 0
        self._reading = asyncio.run_coroutine_threadsafe(self._read(), loop)

    def pieces(self, deadline: float, cancelled: Cancelled) -> Iterator[str | None]:
        """The pieces of text as they arrive; a final None when the time is up or the request was cancelled.

        :raises BackendProblem: the server cannot be reached, or its answer is no completion.
        """
        while True:
            try:
                item = self._arrived.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                item = ""
            if item is None:
                return
            if isinstance(item, BackendProblem):
                raise item
            if item:
                self.received += 1
                yield item
            if cancelled() or time.monotonic() >= deadline:
                yield None
                return

    def close(self) -> None:
        """Hang up, which ends the generation on the server."""
        self._reading.cancel()

    async def _read(self) -> None:
        host = self._request.url.host
        try:
            response = await self._http.send(self._request, stream=True)
            async with contextlib.aclosing(response):
                await self._read_response(host, response)
            self._arrived.put(None)
        except BackendProblem as problem:
            self._arrived.put(problem)
        except Exception as error:
            self._arrived.put(_transport_problem(host, error))

    async def _read_response(self, host: str, response: httpx2.Response) -> None:
        if response.status_code != 200:
            raise _status_problem(host, response.status_code, await _start_of(response, _MAX_ERROR), self._as_ids)
        if "event-stream" not in response.headers.get("Content-Type", ""):
            self._arrived.put(_text_of(await _start_of(response, _MAX_ANSWER)) or "")
            return
        async for line in _lines(response):
            if not line.strip() or line.startswith((b":", b"event:", b"id:", b"retry:")):
                continue
            if not line.startswith(b"data:"):
                raise ValueError("no event stream")
            text = None if line[5:].strip() == b"[DONE]" else _text_of(line[5:])
            if text is None:
                return
            self._arrived.put(text)


async def _start_of(response: httpx2.Response, limit: int) -> bytes:
    """The first ``limit`` bytes of an answer, as they were sent."""
    found = bytearray()
    async for part in response.aiter_raw():
        found += part
        if len(found) >= limit:
            break
    return bytes(found[:limit])


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The lines of an answer, as they were sent.

    :raises ValueError: the answer is too long.
    """
    rest, total = b"", 0
    async for part in response.aiter_raw():
        total += len(part)
        if total >= _MAX_ANSWER:
            raise ValueError("answer too long")
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
    yield rest


def _text_of(raw: bytes) -> str | None:
    """The text in one event of an answer: "" when it holds none, None when it is the end.

    :raises ValueError: a completion server sends no such event.
    """
    data = json.loads(raw.decode("utf-8"))
    if not isinstance(data, dict):
        raise ValueError("no object")
    if "error" in data:
        raise ValueError("error in the stream")
    if "choices" in data:
        choices = data["choices"]
        text = choices[0].get("text") if choices else ""
    else:
        text = data.get("content", "")
    if not isinstance(text, str | None):
        raise ValueError("text is no text")
    if data.get("stop") is True and not text:
        return None
    return text or ""


class NoIdsProblem(BackendProblem):
    """The server takes prompts as text only."""


def _status_problem(host: str, status: int, body: bytes, as_ids: bool) -> BackendProblem:
    """The problem that a status other than 200 stands for.

    :param as_ids: whether the prompt was token ids. llama-cpp-python's server answers them with 500 and lists what is
        wrong, others with 400 or 422.
    """
    if as_ids and status in (400, 422, 500) and b"prompt" in body and b"str" in body:
        return NoIdsProblem(f"{host} takes no token ids", "unset base_model, so that prompts go as text")
    if 300 <= status < 400:
        return BackendProblem(f"{host} answers with a redirect, which is not followed", "set remote_url to its target")
    if status in (401, 403):
        return BackendProblem(f"{host} refuses the request ({status})", "check the access token")
    if status == 404:
        return BackendProblem(f"{host} does not know the model or the path (404)", "check remote_url and remote_model")
    return BackendProblem(f"{host} answers with status {status} ({len(body)} bytes)", "look at the server's log")


def _transport_problem(host: str, error: Exception) -> BackendProblem:
    """The problem that an error of the connection stands for."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = f"the certificate of {host} is not valid"
            return BackendProblem(what, "install its authority in the system's store")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ConnectError):
        return BackendProblem(f"{host} cannot be reached", "start the server, or check remote_url")
    if isinstance(error, httpx2.TimeoutException):
        return BackendProblem(f"{host} does not answer", "look at the server's log")
    return BackendProblem(f"{host} gave no usable answer ({type(error).__name__})", "look at the server's log")
