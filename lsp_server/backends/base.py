"""What a language model offers to the rest of the server: limits go in, generated text and its counts come out.

Knows neither torch nor llama.cpp nor HTTP, neither the engine nor the editor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from indexer.prompt.renderer import Prompt, PromptInput, PromptSize
from lsp_server.backends.speed import Speed

RESERVE: Final = 128
"""Tokens of a model's context that prompts leave free for what the model writes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a generation has to end.

    :param max_tokens: the most tokens to write.
    :param deadline: a value of ``time.monotonic``; the generation returns what it has written by then.
    :param single_line: end before the first line end.
    :param max_lines: end after this many lines.
    :param base_indent: indentation of the cursor's line, in columns; a later line indented less ends the text before
        it.
    :param more_until: a value of ``time.monotonic``; a text that goes on then ends with its whole lines, one without a
        whole line behind its last whole word.
    """

    max_tokens: int = 64
    deadline: float = float("inf")
    single_line: bool = True
    max_lines: int = 12
    base_indent: int = 0
    more_until: float = float("inf")


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely the model finds a line, as far as its own text agreed with it.

    :param ends: for each judged token, how many characters of the line are written with it.
    :param logprobs: natural log-probability of each of these tokens, given all before; the last may be the first that
        the model did not write.
    :param over: log-probability that the line ends after all of it; None where the model did not come so far.
    """

    ends: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    over: float | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """What the model wrote.

    :param text: the text up to its stop, without the text that token healing made the model write again.
    :param reason: ``end`` (the model closed it), ``line``, ``block``, ``lines``, ``tokens``, ``time``, ``cancelled``,
        ``held`` (the model did not write the text that token healing demands).
    :param logprobs: natural log-probability of each token written, in order; empty where a server gives none.
    :param prompt_tokens: length of the prompt.
    :param reused: how many of the prompt's tokens came from the cache.
    :param forwards: passes through the model after the prompt.
    :param drafted: tokens proposed by drafts.
    :param accepted: drafted tokens that the model agreed with.
    :param line_logprob: log-likelihood of the first line and of its end; None when the end was not reached.
    :param own: what is known about the first line of the text; None where a server says nothing.
    :param lines: log-probability of each further line with its end, given all before; empty where a server says
        nothing.
    :param judged: what is known about each draft, in their order; empty where nothing is.
    """

    text: str
    reason: str
    logprobs: tuple[float, ...] = ()
    prompt_tokens: int = 0
    reused: int = 0
    forwards: int = 0
    drafted: int = 0
    accepted: int = 0
    seconds: float = 0.0
    tokens: tuple[int, ...] = field(default=(), repr=False)
    line_logprob: float | None = None
    own: Judgement | None = None
    lines: tuple[float, ...] = ()
    judged: tuple[Judgement, ...] = ()


Cancelled = Callable[[], bool]
ReportText = Callable[[str], None]


def never() -> bool:
    """The ``cancelled`` of work that is never cancelled."""
    return False


class Backend(Protocol):
    """A loaded model. Methods are called from one thread at a time; ``cancelled`` may turn true from another."""

    @property
    def name(self) -> str:
        """Base and adapter version, as statistics and ``ondol doctor`` show them."""
        ...

    @property
    def about(self) -> Mapping[str, str]:
        """For reports and traces: ``base``, ``format`` (of its prompts), ``runs_on``, ``adapter`` ("" for none)."""
        ...

    @property
    def speed(self) -> Speed | None:
        """How fast the model is on this machine; None where that is not known."""
        ...

    def size(self, whole: int, suffix: int | None = None) -> PromptSize:
        """The shares of a prompt of ``whole`` tokens.

        :param suffix: limits the text behind the cursor where each key makes the model read it again.
        """
        ...

    def render(self, parts: PromptInput, size: PromptSize | None = None) -> Prompt:
        """The prompt for these parts.

        :param size: None for as much as the model takes.
        """
        ...

    def cached(self, prompt: Prompt) -> int:
        """How many tokens of a prompt are computed already, from its start."""
        ...

    def prefill(self, prompt: Prompt, cancelled: Cancelled = never) -> bool:
        """Compute a prompt for later; False where it was cancelled. What was computed by then is kept."""
        ...

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        report: ReportText | None = None,
    ) -> Generation:
        """Write greedily until a stop, a limit or a cancel.

        :param drafts: texts that may follow; they save time where the model agrees and never change the text.
        :param report: called with the text so far.
        :raises BackendProblem: the model failed; later calls may work again.
        """
        ...

    def alternatives(
        self,
        prompt: Prompt,
        limits: Limits,
        count: int,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
    ) -> list[Generation]:
        """Up to ``count`` different texts, the greedy one first.

        :param drafts: as in :meth:`generate`.
        """
        ...

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """Natural log-likelihood of each text and its end, in one pass; None where the backend cannot compute it."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...
