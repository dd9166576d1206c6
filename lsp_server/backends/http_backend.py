"""The model behind HTTP: ``/v1/completions`` (vLLM, llama.cpp's server, Ollama) or llama.cpp's ``/infill``.

The address comes from the user's settings alone. Each request has a connection of its own and is streamed; a cancel or
a deadline closes the connection, which ends the generation on such servers. Redirects are not followed, proxies of the
environment are not used, certificates are verified, answers are bounded. Where the model's folder is known, prompts are
sent as token ids, so text of a file cannot become a control token. Without the folder, and to a server that takes no
ids, prompts go as text, from which the control strings of the known families are removed.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from indexer.prompt.control_strings import without_control_strings
from indexer.prompt.renderer import Prompt, PromptInput, PromptSize, Renderer
from lsp_server.backends.base import Cancelled, Generation, Limits, ReportText, never
from lsp_server.backends.http_stream import HttpClient, NoIdsProblem
from lsp_server.backends.stop_rules import StopRules
from lsp_server.errors import BackendProblem
from lsp_server.weights.base_model import open_format

log = logging.getLogger(__name__)

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


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
        self._client = HttpClient(trusts_system=self._secure)
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

    speed = None
    """A server's speed is its own affair."""

    def size(self, whole: int, suffix: int | None = None) -> PromptSize:
        """See :class:`~lsp_server.backends.base.Backend`."""
        return PromptSize(whole, whole // 2, whole // 8)

    def cached(self, prompt: Prompt) -> int:
        """All of it: a server keeps its own states."""
        return len(prompt.ids)

    def prefill(self, prompt: Prompt, cancelled: Cancelled = never) -> bool:
        """Do nothing: a server reads the prompt with the request."""
        return True

    def render(self, parts: PromptInput, size: PromptSize | None = None) -> "HttpPrompt":
        """The prompt as token ids; without ids where the server builds the prompt itself (see :meth:`generate`)."""
        if self._renderer is not None and self._takes_ids:
            made = self._renderer.render(parts)
            return HttpPrompt(made.ids, made.token_healing, made.pieces, made.counts, parts)
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
        except NoIdsProblem:
            self._takes_ids = False
            log.info("%s takes no token ids; prompts go as text", self._host)
            return self._generate(self.render(prompt.parts), limits, cancelled, report)

    def _generate(
        self, prompt: "HttpPrompt", limits: Limits, cancelled: Cancelled, report: ReportText | None
    ) -> Generation:
        began = time.perf_counter()
        stops, text, reason, raw = StopRules(limits, prompt.token_healing), "", "", ""
        exchange = self._client.post(self._url, self._body(prompt, limits), self._server.token)
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
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never, drafts: Sequence[str] = ()
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
    return without_control_strings(text).encode("utf-8", "replace").decode("utf-8")
