"""The remote model: ``/v1/completions`` (vLLM, llama.cpp's server, Ollama) or llama.cpp's ``/infill``.

The address comes from the user's settings alone. One connection per request, streamed; a cancel or a deadline closes
it, which every such server takes as the end of the generation. Redirects are not followed, certificates are verified,
answers are bounded. Where the model's folder is known, prompts are sent as token ids, so that no text of a file can
become a control token; without it, and to a server that takes no ids, control strings of the known families are taken
out of the text.
"""

import contextlib
import http.client
import json
import logging
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from indexer.prompt.formats import SPECS
from indexer.prompt.renderer import Prompt, PromptInput, Renderer
from lsp_server.backends.base import Cancelled, Generation, Limits, Progress, never
from lsp_server.backends.stop_rules import TextStops
from lsp_server.errors import BackendProblem
from lsp_server.weights.base_model import open_format

log = logging.getLogger(__name__)

_MAX_ANSWER = 1_000_000  # bytes; a completion of 256 tokens streams as about 60,000
_CONNECT_SECONDS = 2.0
_POLL_SECONDS = 0.01
_SILENCE_SECONDS = 30.0  # a reader nobody waits for any more ends after this
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CONTROLS = re.compile("|".join(re.escape(c.strip("▁")) for s in SPECS for c in (*s.controls, s.end, *s.stops) if c))


@dataclass(frozen=True, slots=True)
class Server:
    """Where the model is and how it is asked.

    :param url: up to and without ``/v1/completions`` or ``/infill``.
    :param model: name the server knows the model (or its adapter) by.
    :param protocol: ``completions`` or ``infill``.
    :param folder: the model's folder with config and tokenizer, for prompts as token ids.
    :param token: sent as a bearer token.
    """

    url: str
    model: str = ""
    protocol: str = "completions"
    folder: Path | None = None
    token: str = ""
    limit: int = 2048


class RemoteBackend:
    """A model behind HTTP. ``generate`` is called from one thread at a time.

    :raises BackendProblem: the address cannot be used.
    """

    def __init__(self, server: Server) -> None:
        parts = urlsplit(server.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise BackendProblem(f"{server.url!r} is no address of a server", "set remote_url to http(s)://host:port")
        if server.protocol not in ("completions", "infill"):
            raise BackendProblem(f"there is no protocol {server.protocol!r}", "use completions or infill")
        self._server, self._host, self._secure = server, parts.hostname, parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._path = parts.path.rstrip("/").removesuffix("/v1/completions").removesuffix("/infill").removesuffix("/v1")
        self._renderer: Renderer | None = None
        self._takes_ids = server.protocol == "completions"
        if server.folder is not None:
            vocabulary, spec = open_format(server.folder)
            self._renderer = Renderer(spec, vocabulary, server.limit, heal=False)  # no server can be made to write it

    @property
    def name(self) -> str:
        """The model's name, or the host's."""
        return self._server.model or self._host

    @property
    def about(self) -> dict[str, str]:
        """See :class:`~lsp_server.backends.base.Backend`; the server loads adapters under names of its own."""
        ours = self._renderer.spec.name if self._renderer and self._takes_ids else "the server's"
        return {"base": self.name, "format": ours, "runs_on": f"{self._host}:{self._port}", "adapter": ""}

    @property
    def unencrypted(self) -> bool:
        """Whether code travels over a network in the clear, which ``doctor`` tells."""
        return not self._secure and self._host not in _LOOPBACK

    def render(self, parts: PromptInput) -> "RemotePrompt":
        """The prompt as token ids, or an empty one when the server has to build it (see :meth:`generate`)."""
        if self._renderer is not None and self._takes_ids:
            made = self._renderer.render(parts)
            return RemotePrompt(made.ids, made.held, made.pieces, made.counts, parts)
        return RemotePrompt((), "", len(parts.context), {}, parts)

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Generation:
        """Ask the server; ``drafts`` are not sent. One that takes no ids is asked once more, and then always, in text:
        it has written nothing yet, so asking again is harmless.

        :raises BackendProblem: it cannot be reached, or answers anything but a completion.
        """
        assert isinstance(prompt, RemotePrompt)
        try:
            return self._generate(prompt, limits, cancelled, progress)
        except _NoIds:
            self._takes_ids = False
            log.info("%s takes no token ids; prompts go as text", self._host)
            return self._generate(self.render(prompt.parts), limits, cancelled, progress)

    def _generate(
        self, prompt: "RemotePrompt", limits: Limits, cancelled: Cancelled, progress: Progress | None
    ) -> Generation:
        began = time.perf_counter()
        stops, text, reason, raw = TextStops(limits, prompt.held), "", "", ""
        exchange = _Exchange(self._connect(), self._request_path(), self._body(prompt, limits), self._server.token)
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
                if progress:
                    progress(text)
        finally:
            exchange.close()
        return Generation(
            text,
            reason or exchange.reason,
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
        """None: the protocol has no portable way to ask for likelihoods of given texts."""
        return None

    def close(self) -> None:
        """Nothing is kept open between requests."""

    def _connect(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_SECONDS)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(self._host, self._port, timeout=_CONNECT_SECONDS, context=context)

    def _request_path(self) -> str:
        return self._path + ("/infill" if self._server.protocol == "infill" else "/v1/completions")

    def _body(self, prompt: "RemotePrompt", limits: Limits) -> dict[str, Any]:
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


class RemotePrompt(Prompt):
    """A prompt and its parts, from which the server builds it itself where ``ids`` is empty."""

    __slots__ = ("parts",)

    def __init__(
        self, ids: tuple[int, ...], held: str, pieces: int, counts: Mapping[str, int], parts: PromptInput
    ) -> None:
        super().__init__(ids, held, pieces, counts)
        object.__setattr__(self, "parts", parts)

    parts: PromptInput


def plain(text: str) -> str:
    """``text`` without the control strings of any known family, for servers that parse them out of text."""
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode("utf-8")


class _Exchange:
    """One request in flight: a thread reads, the caller waits with a deadline and may stop at any time."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, body: dict[str, Any], token: str) -> None:
        self._connection = connection
        self._queue: queue.SimpleQueue[str | BackendProblem | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._socket: socket.socket | None = None
        self.reason = "end"
        self.received = 0
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "Connection": "close"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        arguments = (path, body, headers)
        threading.Thread(target=self._read, args=arguments, name="remote-read", daemon=True).start()

    def pieces(self, deadline: float, cancelled: Cancelled) -> Iterator[str | None]:
        """Texts as they arrive; None once when time is up or nobody waits any more."""
        while True:
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if cancelled() or time.monotonic() >= deadline:
                    yield None
                    return
                continue
            if item is None:
                return
            if isinstance(item, BackendProblem):
                raise item
            self.received += 1
            yield item
            if cancelled() or time.monotonic() >= deadline:
                yield None
                return

    def close(self) -> None:
        """Hang up, which stops the generation at the other end."""
        self._closed.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        host = self._connection.host
        try:
            self._connection.connect()
            self._socket = self._connection.sock  # the response takes it over, and http.client forgets it
            if self._closed.is_set() or self._socket is None:
                return
            self._socket.settimeout(_SILENCE_SECONDS)
            self._connection.request("POST", path, json.dumps(body).encode(), headers)
            response = self._connection.getresponse()
            if response.status != 200:
                ids = isinstance(body.get("prompt"), list)
                self._queue.put(_status_problem(host, response.status, response.read(2000), ids))
                return
            if "event-stream" in (response.getheader("Content-Type") or ""):
                self._read_stream(response)
            else:
                self._queue.put(_piece(response.read(_MAX_ANSWER)) or "")
            self._queue.put(None)
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            if not self._closed.is_set():
                self._queue.put(_transport_problem(host, error))

    def _read_stream(self, response: http.client.HTTPResponse) -> None:
        total = 0
        for line in iter(lambda: response.readline(_MAX_ANSWER), b""):
            total += len(line)
            if total >= _MAX_ANSWER:
                raise ValueError("answer too long")
            if not line.strip() or line.startswith((b":", b"event:", b"id:", b"retry:")):
                continue
            if not line.startswith(b"data:"):
                raise ValueError("no event stream")
            text = None if line[5:].strip() == b"[DONE]" else _piece(line[5:])
            if text is None:
                return
            if text:
                self._queue.put(text)


def _piece(raw: bytes) -> str | None:
    """The text in one event of an answer: "" when there is none, None after the last.

    :raises ValueError: it is nothing a completion server says.
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
    """The server wants prompts as text."""


def _status_problem(host: str, status: int, body: bytes, ids: bool = False) -> BackendProblem:
    """What an answer that is none means.

    :param ids: whether the prompt was token ids. llama-cpp-python's server says 500 to them and lists what is wrong,
        others 400 or 422.
    """
    if ids and status in (400, 422, 500) and b"prompt" in body and b"str" in body:
        return _NoIds(f"{host} takes no token ids", "unset base_model, so that prompts go as text")
    if 300 <= status < 400:
        return BackendProblem(f"{host} answers with a redirect, which is not followed", "set remote_url to its target")
    if status in (401, 403):
        return BackendProblem(f"{host} refuses the request ({status})", "check the access token")
    if status == 404:
        return BackendProblem(f"{host} does not know the model or the path (404)", "check remote_url and remote_model")
    return BackendProblem(f"{host} answers with status {status} ({len(body)} bytes)", "look at the server's log")


def _transport_problem(host: str, error: Exception) -> BackendProblem:
    if isinstance(error, ssl.SSLCertVerificationError):
        return BackendProblem(f"the certificate of {host} is not valid", "install its authority in the system's store")
    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return BackendProblem(f"{host} cannot be reached", "start the server, or check remote_url")
    if isinstance(error, TimeoutError):
        return BackendProblem(f"{host} does not answer", "look at the server's log")
    return BackendProblem(f"{host} gave no usable answer ({type(error).__name__})", "look at the server's log")
