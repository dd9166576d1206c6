"""Lets a model write what becomes of a line, after lines that the user changed before it (``line_questions``)."""

from collections.abc import Callable
from typing import Final

from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Backend, Limits
from lsp_server.model.line_questions import ChangedLine, LineQuestion, nothing, text_of
from lsp_server.reasons import Reason

READ_SECONDS: Final = 3.0
"""What a model may need to read a prompt; the oldest changes are left out where it needs more."""

FEWEST: Final = 2
"""The least number of changes in a prompt, if the user made as many."""

_WHOLE: Final = frozenset({"line", "end"})
"""Reasons for the end of a text by which the line is whole."""


def changed_line(backend: Backend, question: LineQuestion, stop: Callable[[], bool], deadline: float) -> ChangedLine:
    """Let a model write the line; on the model's thread.

    :param deadline: a value of ``time.monotonic``.
    """
    pairs, speed = question.pairs, backend.speed
    reads = speed.tokens_in(READ_SECONDS) if speed is not None and speed.prompt_rate else None
    while True:
        prompt = backend.render(PromptInput(question.path, text_of(pairs, question.line), ""))
        if reads is None or len(prompt.ids) - backend.cached(prompt) <= reads:
            break
        if len(pairs) <= FEWEST:
            return nothing(Reason.LATE)
        pairs = pairs[len(pairs) // 2 :]
    limits = Limits(max_tokens=24 + len(question.line) // 2, deadline=deadline, single_line=True)
    made = backend.generate(prompt, limits, stop, question.drafts)
    trace = {"model": backend.name, "prompt_tokens": made.prompt_tokens, "reused": made.reused}
    trace |= {"changes": len(pairs), "seconds": round(made.seconds, 4)}
    return ChangedLine(made.text.strip() if made.reason in _WHOLE else "", made.reason, trace)
