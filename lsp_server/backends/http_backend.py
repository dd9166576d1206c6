"""The model behind HTTP: ``/v1/completions`` (vLLM, llama.cpp's server, Ollama) or llama.cpp's ``/infill``.

The address comes from the user's settings alone. Each request has a connection of its own and is streamed; a cancel or
a deadline closes the connection, which ends the generation on such servers. Redirects are not followed, proxies of the
environment are not used, certificates are verified, answers are bounded. Where the model's folder is known, prompts are
sent as token ids, so text of a file cannot become a control token. Without the folder, and to a server that takes no
ids, prompts go as text, from which the control strings of the known families are removed.
"""

import asyncio
import contextlib
import json
import logging
import queue
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from indexer.prompt.formats import SPECS
from indexer.prompt.renderer import Prompt, PromptInput, Renderer
from lsp_server.backends.base import Cancelled, Generation, Limits, ReportText, never
from lsp_server.backends.stop_rules import StopRules
from lsp_server.errors import BackendProblem
from lsp_server.weights.base_model import open_format

log = logging.getLogger(__name__)

_MAX_ANSWER: Final = 1_000_000  # bytes; a completion of 256 tokens streams as about 60,000
_MAX_ERROR: Final = 2000  # bytes read of an error's page
_CONNECT_SECONDS: Final = 2.0
_SILENCE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.01
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_CONTROLS = re.compile("|".join(re.escape(c.strip("▁")) for s in SPECS for c in (*s.controls, s.end, *s.stops) if c))


@dataclass(frozen=True, slots=True)
class ModelServer:
    """Address and protocol of a model's server.

    :param url: up to and without ``/v1/completions`` or ``/infill``.
    :param model: name by which the server knows the model (or its adapter).
    :param protocol: ``completions`` or ``infill``.
    :param folder: the model's folder with config and tokenizer, for prompts as token ids.
    :param token: sent as a bearer token.
    :param limit: tokens a prompt may have.
    """

    url: str
    model: str = ""
    protocol: str = "completions"
    folder: Path | None = None
    token: str = ""
    limit: int = 2048


class HttpBackend:
    """A model behind HTTP. ``generate`` is called from one thread at a time.

    :raises BackendProblem: the address cannot be used.
    """

    def __init__(self, server: ModelServer) -> None:
        parts = urlsplit(server.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise BackendProblem(f"{server.url!r} is no address of a server", "set remote_url to http(s)://host:port")
        if server.protocol not in ("completions", "infill"):
            raise BackendProblem(f"there is no protocol {server.protocol!r}", "use completions or infill")
        self._server, self._host, self._secure = server, parts.hostname, parts.scheme == "https"
        port = parts.port or (443 if self._secure else 80)
        self._address = f"{self._host}:{port}"
        path = parts.path.rstrip("/").removesuffix("/v1/completions").removesuffix("/infill").removesuffix("/v1")
        endpoint = "/infill" if server.protocol == "infill" else "/v1/completions"
        self._url = parts._replace(path=path + endpoint, query="", fragment="").geturl()
        self._client = _Client(trusts_system=self._secure)
        self._renderer: Renderer | None = None
        self._takes_ids = server.protocol == "completions"
        if server.folder is not None:
            vocabulary, spec = open_format(server.folder)
            # No server can be made to write the beginning of a token, so token healing is off.
            self._renderer = Renderer(spec, vocabulary, server.limit, heal=False)

    @property
    def name(self) -> str:
        """The model's name, or the host's."""
        return self._server.model or self._host

    @property
    def about(self) -> dict[str, str]:
        """See :class:`~lsp_server.backends.base.Backend`; an adapter is part of the model's name on the server."""
        ours = self._renderer.spec.name if self._renderer and self._takes_ids else "the server's"
        return {"base": self.name, "format": ours, "runs_on": self._address, "adapter": ""}

    @property
    def unencrypted(self) -> bool:
        """Whether code travels over a network without encryption, which ``ondol doctor`` reports."""
        return not self._secure and self._host not in _LOOPBACK

    def render(self, parts: PromptInput) -> "HttpPrompt":
        """The prompt as token ids; without ids where the server builds the prompt itself (see :meth:`generate`)."""
        if self._renderer is not None and self._takes_ids:
            made = self._renderer.render(parts)
            return HttpPrompt(made.ids, made.held, made.pieces, made.counts, parts)
        return HttpPrompt((), "", len(parts.context), {}, parts)

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        report: ReportText | None = None,
    ) -> Generation:
        """Request a completion; ``drafts`` are not sent.

        A server that takes no token ids gets the request again as text, and every later prompt as text. It has written
        nothing yet, so the second request is harmless.

        :raises BackendProblem: the server cannot be reached, or its answer is no completion.
        """
        assert isinstance(prompt, HttpPrompt)
        try:
            return self._generate(prompt, limits, cancelled, report)
        except _NoIds:
            self._takes_ids = False
            log.info("%s takes no token ids; prompts go as text", self._host)
            return self._generate(self.render(prompt.parts), limits, cancelled, report)

    def _generate(
        self, prompt: "HttpPrompt", limits: Limits, cancelled: Cancelled, report: ReportText | None
    ) -> Generation:
        began = time.perf_counter()
        stops, text, reason, raw = StopRules(limits, prompt.held), "", "", ""
        exchange = self._send(prompt, limits)
        try:
            for piece in exchange.pieces(limits.deadline, cancelled):
                if piece is None:
                    reason = "cancelled" if cancelled() else "time"
                    break
                raw += piece
                visible, agrees = stops.visible(raw)
                if not agrees:
                    text, reason = "", "held"
                    break
                text = visible
                stop = stops.check(text)
                if stop is not None:
                    text, reason = text[: stop[0]], stop[1]
                    break
                if report:
                    report(text)
        finally:
            exchange.close()
        return Generation(
            text,
            reason or "end",
            prompt_tokens=len(prompt.ids),
            forwards=exchange.received,
            seconds=time.perf_counter() - began,
        )

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never
    ) -> list[Generation]:
        """The one completion: servers differ too much in how they sample several."""
        made = self.generate(prompt, limits, cancelled)
        return [made] if made.text else []

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """None: the protocol has no portable request for the likelihood of a given text."""
        return None

    def close(self) -> None:
        """End the thread that reads."""
        self._client.close()

    def _send(self, prompt: "HttpPrompt", limits: Limits) -> "_Exchange":
        """Start a request; its answer is read on a thread of its own."""
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Connection": "close"}
        if self._server.token:
            headers["Authorization"] = f"Bearer {self._server.token}"
        request = self._client.http.build_request("POST", self._url, json=self._body(prompt, limits), headers=headers)
        return _Exchange(self._client, request, as_ids=bool(prompt.ids))

    def _body(self, prompt: "HttpPrompt", limits: Limits) -> dict[str, Any]:
        body: dict[str, Any] = {"temperature": 0, "stream": True}
        if limits.single_line:
            body["stop"] = ["\n"]
        if prompt.ids:
            return {**body, "model": self._server.model, "prompt": list(prompt.ids), "max_tokens": limits.max_tokens}
        parts = prompt.parts
        prefix, suffix = plain(parts.prefix[-self._server.limit * 4 :]), plain(parts.suffix[: self._server.limit])
        if self._server.protocol == "infill":
            extra = [{"filename": plain(p.path), "text": plain(p.text)} for p in reversed(parts.context)]
            return {
                **body,
                "input_extra": extra,
                "input_prefix": prefix,
                "input_suffix": suffix,
                "prompt": "",
                "n_predict": limits.max_tokens,
                "cache_prompt": True,
            }
        context = "".join(f"# {plain(p.path)}\n{plain(p.text)}\n\n" for p in reversed(parts.context))
        return {
            **body,
            "model": self._server.model,
            "prompt": context + prefix,
            "suffix": suffix,
            "max_tokens": limits.max_tokens,
        }


class HttpPrompt(Prompt):
    """A prompt and its parts, from which the server builds the prompt where ``ids`` is empty."""

    __slots__ = ("parts",)

    def __init__(
        self, ids: tuple[int, ...], held: str, pieces: int, counts: Mapping[str, int], parts: PromptInput
    ) -> None:
        super().__init__(ids, held, pieces, counts)
        object.__setattr__(self, "parts", parts)

    parts: PromptInput


def plain(text: str) -> str:
    """Remove the control strings of every known family, for servers that parse them out of text."""
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode("utf-8")


class _Client:
    """An HTTP client and the thread on which it reads.

    :param trusts_system: whether to load the system's certificates (0.1 s), which only TLS needs; without them no
        certificate is trusted.
    """

    def __init__(self, *, trusts_system: bool) -> None:
        tls = ssl.create_default_context() if trusts_system else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.http = httpx2.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            verify=tls,
            timeout=httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
            limits=httpx2.Limits(max_keepalive_connections=0),
        )
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="http", daemon=True).start()

    def start(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        """Run work on the thread; cancelling the future cancels the work."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End the thread."""
        with contextlib.suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()


class _Exchange:
    """One request in flight. The client's thread reads the answer; the caller takes its pieces and may hang up.

    :param as_ids: whether the prompt was sent as token ids.
    """

    def __init__(self, client: _Client, request: httpx2.Request, *, as_ids: bool) -> None:
        self._http, self._request, self._as_ids = client.http, request, as_ids
        self._arrived: queue.SimpleQueue[str | BackendProblem | None] = queue.SimpleQueue()
        self.received = 0
        self._reading = client.start(self._read())

    def pieces(self, deadline: float, cancelled: Cancelled) -> Iterator[str | None]:
        """The pieces of text as they arrive; a final None when the time is up or the request was cancelled.

        :raises BackendProblem: see :meth:`HttpBackend.generate`.
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


class _NoIds(BackendProblem):
    """The server takes prompts as text only."""


def _status_problem(host: str, status: int, body: bytes, as_ids: bool) -> BackendProblem:
    """The problem that a status other than 200 stands for.

    :param as_ids: whether the prompt was token ids. llama-cpp-python's server answers them with 500 and lists what is
        wrong, others with 400 or 422.
    """
    if as_ids and status in (400, 422, 500) and b"prompt" in body and b"str" in body:
        return _NoIds(f"{host} takes no token ids", "unset base_model, so that prompts go as text")
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
