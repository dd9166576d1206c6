"""One loaded model for all repositories of a process. Each repository has a lease, with an adapter of its own.

An editor may open several folders, and a changed setting rebuilds an engine; neither loads a model twice. One lease
uses the model at a time and first sets its own adapter, if another one is set. The model is freed when the last lease
is closed. Knows no settings and no engine.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from indexer.prompt.renderer import Prompt, PromptInput, PromptSize
from lsp_server.backends.base import Backend, Cancelled, Generation, Limits, ReportText, never
from lsp_server.backends.speed import Speed
from lsp_server.weights.adapter_registry import AdapterVersion


class SharedModel:
    """A model that is loaded for its first lease. Leases may be taken and closed on any thread.

    :param load: loads the backend; if it raises, the next lease calls it again.
    """

    def __init__(self, load: Callable[[], Backend]) -> None:
        self._load = load
        self._turn = threading.RLock()
        self._backend: Any = None
        self._adapter: AdapterVersion | None = None
        self._leases = 0

    def lease(self) -> "Lease":
        """Take a lease; loads the model if it is not loaded.

        :raises BackendProblem: it cannot be loaded.
        """
        with self._turn:
            if self._backend is None:
                self._backend, self._adapter = self._load(), None
            self._leases += 1
            return Lease(self, self._backend)

    @contextmanager
    def turn(self, adapter: AdapterVersion | None) -> Iterator[Any]:
        """The model with this adapter, for this thread alone."""
        with self._turn:
            if self._adapter is not adapter:
                self.set_adapter(adapter)
            yield self._backend

    def set_adapter(self, adapter: AdapterVersion | None) -> None:
        """Set an adapter; if it is refused, the previous one stays."""
        with self._turn:
            self._backend.set_adapter(adapter)
            self._adapter = adapter

    def release(self) -> None:
        """Count one lease less; frees the model after the last one."""
        with self._turn:
            self._leases -= 1
            if not self._leases:
                self._backend.close()
                self._backend = None


class Lease:
    """The :class:`~lsp_server.backends.base.Backend` of one repository."""

    def __init__(self, shared: SharedModel, backend: Any) -> None:
        self._shared = shared
        self._backend = backend
        self._adapter: AdapterVersion | None = None
        self._open = True

    @property
    def folder(self) -> Any:
        """The base's folder."""
        return self._backend.folder

    @property
    def about(self) -> dict[str, str]:
        """See :class:`~lsp_server.backends.base.Backend`."""
        return {**self._backend.about, "adapter": self._adapter.label if self._adapter else ""}

    @property
    def name(self) -> str:
        """Base and adapter, as statistics show them."""
        about = self.about
        return about["base"] + (f"+{about['adapter']}" if about["adapter"] else "")

    @property
    def speed(self) -> Speed | None:
        """See :class:`~lsp_server.backends.base.Backend`."""
        speed: Speed | None = self._backend.speed
        return speed

    def size(self, whole: int, suffix: int | None = None) -> PromptSize:
        """See :class:`~lsp_server.backends.base.Backend`."""
        size: PromptSize = self._backend.size(whole, suffix)
        return size

    def render(self, parts: PromptInput, size: PromptSize | None = None) -> Prompt:
        """The prompt for these parts."""
        prompt: Prompt = self._backend.render(parts, size)
        return prompt

    def cached(self, prompt: Prompt) -> int:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            return int(backend.cached(prompt))

    def prefill(self, prompt: Prompt, cancelled: Cancelled = never) -> bool:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            return bool(backend.prefill(prompt, cancelled))

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        report: ReportText | None = None,
    ) -> Generation:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            made: Generation = backend.generate(prompt, limits, cancelled, drafts, report)
            return made

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never, drafts: Sequence[str] = ()
    ) -> list[Generation]:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            made: list[Generation] = backend.alternatives(prompt, limits, count, cancelled, drafts)
            return made

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            scores: list[float] | None = backend.score(prompt, texts, cancelled)
            return scores

    def set_adapter(self, version: AdapterVersion | None) -> None:
        """Set a verified adapter for this repository; None for the bare base.

        :raises BackendProblem: it is refused; the previous one stays.
        """
        self._shared.set_adapter(version)
        self._adapter = version

    def close(self) -> None:
        """Give the lease up."""
        if self._open:
            self._open = False
            self._shared.release()
