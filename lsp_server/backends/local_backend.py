"""What the backends in this process have in common: a base model, its prompts, the decode loop, at most one adapter."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from indexer.prompt.formats import PromptSpec
from indexer.prompt.renderer import Prompt, PromptInput, PromptSize, Renderer
from lsp_server.backends.base import RESERVE, Cancelled, Generation, Limits, ReportText, never
from lsp_server.backends.decoding import Model, decoder_for
from lsp_server.backends.speed import Speed
from lsp_server.weights.adapter_registry import AdapterVersion
from lsp_server.weights.base_model import ModelFolder


class LocalBackend:
    """A base model in this process; a subclass adds how it computes. Used by one thread at a time.

    :param model: computes in a context of at least ``context_of(folder, limit)`` tokens.
    :param limit: tokens a prompt may have; less where the model's context is smaller.
    :param runs_on: the library and the device, for reports.
    """

    def __init__(self, folder: ModelFolder, model: Model, limit: int, runs_on: str) -> None:
        self.folder = folder
        self.adapter: AdapterVersion | None = None
        self._model = model
        self._limit = context_of(folder, limit) - RESERVE
        self._runs_on = runs_on
        self.use_spec(folder.spec)

    @property
    def name(self) -> str:
        """Base and adapter, as statistics show them."""
        return self.folder.name + (f"+{self.adapter.label}" if self.adapter else "")

    @property
    def about(self) -> dict[str, str]:
        """See :class:`~lsp_server.backends.base.Backend`."""
        return {
            "base": self.folder.name,
            "format": self._renderer.spec.name,
            "runs_on": self._runs_on,
            "adapter": self.adapter.label if self.adapter else "",
        }

    def use_spec(self, spec: PromptSpec) -> None:
        """Write prompts of another format from now on: left to right, where a model does not follow its own format."""
        self._renderer = Renderer(spec, self.folder.vocabulary, self._limit)
        self._decoder = decoder_for(self._model, spec, self.folder.vocabulary)
        self._decoder.forget()
        self._decoder.measure()

    @property
    def speed(self) -> Speed:
        """How fast the model is on this machine."""
        return self._decoder.speed

    def size(self, whole: int, suffix: int | None = None) -> PromptSize:
        """See :class:`~lsp_server.backends.base.Backend`."""
        size = self._renderer.size(whole)
        if suffix is None or self._renderer.suffix_first:
            return size
        return replace(size, suffix=min(size.suffix, suffix))

    def render(self, parts: PromptInput, size: PromptSize | None = None) -> Prompt:
        """The prompt for these parts."""
        return self._renderer.render(parts, size)

    def cached(self, prompt: Prompt) -> int:
        """See :class:`~lsp_server.backends.base.Backend`."""
        return self._decoder.cached(prompt)

    def prefill(self, prompt: Prompt, cancelled: Cancelled = never) -> bool:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._explained():
            return self._decoder.prefill(prompt, cancelled)

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        report: ReportText | None = None,
    ) -> Generation:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._explained():
            return self._decoder.generate(prompt, limits, cancelled, drafts, report)

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never, drafts: Sequence[str] = ()
    ) -> list[Generation]:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._explained():
            return self._decoder.alternatives(prompt, limits, count, cancelled, drafts)

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with self._explained():
            return self._decoder.score(prompt, texts, cancelled)

    def _explained(self) -> AbstractContextManager[None]:
        """Turns the library's errors into a :class:`BackendProblem`."""
        return nullcontext()


def context_of(folder: ModelFolder, limit: int) -> int:
    """Tokens that the model's cache has to hold for prompts of up to ``limit`` tokens and what follows them."""
    return min(folder.context, limit + RESERVE)
