"""What a language model is to the rest of the server: limits in, generated text and honest counts out.

Knows neither torch nor llama.cpp nor HTTP, neither the engine nor the editor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from indexer.prompt.renderer import Prompt, PromptInput


@dataclass(frozen=True, slots=True)
class Limits:
    """When a generation has to end.

    :param max_tokens: tokens written at most.
    :param deadline: a value of ``time.monotonic``; what is there by then is returned.
    :param single_line: end before the first line end.
    :param max_lines: end after this many lines.
    :param base_indent: width of the blanks at the start of the cursor's line; a later line indented less ends the text
        before it.
    """

    max_tokens: int = 64
    deadline: float = float("inf")
    single_line: bool = True
    max_lines: int = 12
    base_indent: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """What the model wrote.

    :param text: the text, with stops applied and what the prompt held back taken off.
    :param reason: ``end`` (the model closed it), ``line``, ``block``, ``lines``, ``tokens``, ``time``, ``cancelled``,
        ``held`` (it did not go on with the blanks before the cursor).
    :param logprobs: natural log-probability of each token written, in order; empty where a server gives none.
    :param prompt_tokens, reused: length of the prompt, and how many of its tokens came from the cache.
    :param forwards: passes through the model after the prompt.
    :param drafted, accepted: tokens proposed by drafts, and those the model agreed with.
    :param line_logprob: log-likelihood of the first line and of its end; None when the end was not reached.
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


Cancelled = Callable[[], bool]
Progress = Callable[[str], None]


def never() -> bool:
    """The ``cancelled`` of work that nobody will stop."""
    return False


class Backend(Protocol):
    """A loaded model. Methods are called from one thread at a time; ``cancelled`` may turn true from another."""

    @property
    def name(self) -> str:
        """What statistics and ``doctor`` call it: base and adapter version."""
        ...

    @property
    def about(self) -> Mapping[str, str]:
        """For reports and traces: ``base``, ``format`` (of its prompts), ``runs_on``, ``adapter`` ("" for none)."""
        ...

    def render(self, parts: PromptInput) -> Prompt:
        """The prompt for these parts."""
        ...

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Generation:
        """Write greedily until a stop, a limit or a cancel.

        :param drafts: texts that may follow; they save time where the model agrees and change nothing else.
        :raises BackendProblem: the model failed; later calls may work again.
        """
        ...

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never
    ) -> list[Generation]:
        """Up to ``count`` different texts, the greedy one first."""
        ...

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """Natural log-likelihood of each text and its end, in one pass; None where it cannot be had."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...
