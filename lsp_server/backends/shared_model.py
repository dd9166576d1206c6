"""One loaded model for all repositories of a process: each has a lease, with the adapter of its own team.

An editor may open several folders, and a changed setting makes an engine anew; neither may load a model twice. The
leases are used in turn: one that finds another's adapter on the model puts its own on first. The last one to be closed
frees the model. Knows no settings and no engine.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from indexer.prompt.renderer import Prompt, PromptInput
from lsp_server.backends.base import Backend, Cancelled, Generation, Limits, Progress, never
from lsp_server.weights.adapter_registry import AdapterVersion


class Shared:
    """A model that is loaded when the first lease is taken. Leases may be taken and closed on any thread.

    :param load: makes the backend; called again for the next lease if it raises.
    """

    def __init__(self, load: Callable[[], Backend]) -> None:
        self._load = load
        self._turn = threading.RLock()
        self._backend: Any = None
        self._on: AdapterVersion | None = None
        self._leases = 0

    def lease(self) -> "Lease":
        """The right to use the model, which is loaded now if it is not.

        :raises BackendProblem: it cannot be loaded.
        """
        with self._turn:
            if self._backend is None:
                self._backend, self._on = self._load(), None
            self._leases += 1
            return Lease(self, self._backend)

    @contextmanager
    def turn(self, adapter: AdapterVersion | None) -> Iterator[Any]:
        """The model with this adapter on, for this thread alone."""
        with self._turn:
            if self._on is not adapter:
                self.put(adapter)
            yield self._backend

    def put(self, adapter: AdapterVersion | None) -> None:
        """Put an adapter on; if it is refused, the one before stays."""
        with self._turn:
            self._backend.set_adapter(adapter)
            self._on = adapter

    def give_back(self) -> None:
        """One lease less."""
        with self._turn:
            self._leases -= 1
            if not self._leases:
                self._backend.close()
                self._backend = None


class Lease:
    """The :class:`~lsp_server.backends.base.Backend` of one repository."""

    def __init__(self, shared: Shared, backend: Any) -> None:
        self._shared = shared
        self._backend = backend
        self._adapter: AdapterVersion | None = None
        self._open = True

    @property
    def folder(self) -> Any:
        """The base's folder, of backends that have one."""
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

    def render(self, parts: PromptInput) -> Prompt:
        """The prompt for these parts."""
        prompt: Prompt = self._backend.render(parts)
        return prompt

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Generation:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            made: Generation = backend.generate(prompt, limits, cancelled, drafts, progress)
            return made

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never
    ) -> list[Generation]:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            made: list[Generation] = backend.alternatives(prompt, limits, count, cancelled)
            return made

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._shared.turn(self._adapter) as backend:
            scores: list[float] | None = backend.score(prompt, texts, cancelled)
            return scores

    def set_adapter(self, version: AdapterVersion | None) -> None:
        """Put a verified adapter on, for this repository.

        :raises BackendProblem: it is refused; the one before stays.
        """
        self._shared.put(version)
        self._adapter = version

    def close(self) -> None:
        """Use it no more."""
        if self._open:
            self._open = False
            self._shared.give_back()
